"""Events as bytes: the one place that knows the JSON and the headers of the topic. docs/wire.md has it in words."""

from .codec import decode, decode_record, encode, read_envelope, record, write_envelope
from .envelope import Envelope
from .faults import Problem
from .headers import headers, record_from
from .json_schema import schemas
from .translation import NO_CURRENCY
from .validation import Fault, Report, check_lines, check_record

__all__ = [
    "NO_CURRENCY",
    "Envelope",
    "Fault",
    "Problem",
    "Report",
    "check_lines",
    "check_record",
    "decode",
    "decode_record",
    "encode",
    "headers",
    "read_envelope",
    "record",
    "record_from",
    "schemas",
    "write_envelope",
]
