"""The wire format: the JSON and the headers of the topic's records. docs/wire.md describes it."""

from .codec import check_size, decode, decode_record, encode, read_envelope, record, write_envelope
from .contract.json_schema import schemas
from .dead_letter_headers import dead_letter_headers
from .envelope import Envelope
from .headers import header_texts, headers, record_from
from .problems import FieldProblem
from .quality.topic_quality import (
    FUTURE,
    LATE,
    ConsumedRecord,
    Inspection,
    TopicQuality,
    Violation,
    inspect,
    summary,
    time_of,
)
from .translation import NO_CURRENCY
from .validation import (
    InvalidRecord,
    ValidationReport,
    check_lines,
    check_record,
    field_of,
    lines_of,
    type_of,
)

__all__ = [
    "FUTURE",
    "LATE",
    "NO_CURRENCY",
    "ConsumedRecord",
    "Violation",
    "Envelope",
    "InvalidRecord",
    "Inspection",
    "FieldProblem",
    "ValidationReport",
    "TopicQuality",
    "inspect",
    "check_lines",
    "check_record",
    "decode",
    "decode_record",
    "encode",
    "field_of",
    "header_texts",
    "headers",
    "dead_letter_headers",
    "lines_of",
    "read_envelope",
    "record",
    "record_from",
    "check_size",
    "schemas",
    "summary",
    "time_of",
    "type_of",
    "write_envelope",
]
