"""Validates records against the contract and reports every problem with its location."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from attrs import define, field, frozen
from msgspec import Raw, Struct
from msgspec.json import Decoder

from ...domain.errors import InvalidInput, UndecodableEvent
from .codec import read_envelope
from .envelope import DATA
from .headers import Headers, bucket_problems, header_contradictions, header_problems, key_problems, order_id_of
from .problems import DECODING_ERRORS, FieldProblem, problems_in

UNKNOWN = "unknown"
"""The type of records whose type cannot be read or is not part of the contract."""
OTHER = "other"
"""Counts the fields and versions beyond those that are counted separately: a caller may choose their names."""
MAX_BYTES = 100_000_000
"""Bytes of a line, and of a file that is read whole: one that does not end, such as a device, is refused."""
MAX_FIELDS = 100
MAX_FAULTS = 1_000
"""Invalid records that a report contains; further ones are only counted."""
MAX_PROBLEMS = 100
"""Problems of one record that a report contains; further ones are only counted."""


class _TypeOnly(Struct):
    type: str = UNKNOWN


_JSON = Decoder(Raw)
_ARRAY = Decoder(list[Raw])
_TYPE_ONLY = Decoder(_TypeOnly)


@frozen
class InvalidRecord:
    """An invalid record: its location (``day.jsonl:17``) and all of its problems."""

    where: str
    problems: tuple[FieldProblem, ...]


@define
class ValidationReport:
    """Counts records by type, those that are ``wrong``, and their problems by the field that they are in.

    ``faults`` are the first MAX_FAULTS invalid records, so its memory is bounded however many there are.
    """

    checked: int = 0
    by_type: Counter[str] = field(factory=Counter)
    wrong: int = 0
    by_field: Counter[str] = field(factory=Counter)
    faults: list[InvalidRecord] = field(factory=list)

    def add(self, where: str, body: bytes | None, problems: Sequence[FieldProblem]) -> None:
        """Count a record with its ``problems``, which are none if it conforms to the contract."""
        self.checked += 1
        self.by_type[type_of(body)] += 1
        if not problems:
            return
        self.wrong += 1
        for problem in problems:
            name = field_of(problem.path)
            self.by_field[name if name in self.by_field or len(self.by_field) < MAX_FIELDS else OTHER] += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(InvalidRecord(where, tuple(problems[:MAX_PROBLEMS])))


def check_record(body: bytes | None, *, key: bytes | None = None, headers: Headers | None = None) -> list[FieldProblem]:
    """Find all problems of one record. The list is empty if it conforms to the contract.

    Without ``headers``, the body is checked, and the key if there is one. With ``headers``, it is a record of the
    topic: it must have a key, and the headers must agree with the body.
    """
    found = list(problems_in(body))
    envelope = None
    if body and not found:
        try:
            envelope = read_envelope(body)
        except UndecodableEvent as error:
            found.append(FieldProblem(error.field, error.problem, error.allowed))
    order_id = envelope.order_id if envelope else None
    if headers is not None:
        found += header_problems(headers)
        found += header_contradictions(headers, envelope) if envelope else []
        order_id = order_id or order_id_of(headers)
        found += bucket_problems(headers, order_id) if order_id else []
    if headers is not None or key is not None:
        found += key_problems(key, order_id)
    return found


def lines_of(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the lines of ``file``. Raises InvalidInput for a line that is longer than MAX_BYTES."""
    while line := file.readline(MAX_BYTES + 1):
        if len(line) > MAX_BYTES:
            raise _too_large(name)
        yield line


def _too_large(name: str) -> InvalidInput:
    problem = f"a line, a document or an array has more than {MAX_BYTES} bytes"
    return InvalidInput(name, problem, "any number of JSON lines, each smaller")


def check_lines(lines: Iterable[bytes], *, name: str) -> ValidationReport:
    """Check a file of events: JSON lines (streamed), one JSON document, or a JSON array.

    ``name`` is the file's name. A record's location is ``name:LINE``, or ``name/INDEX`` (from 0) in an array. Blank
    lines are ignored. Raises InvalidInput for a document or array of more than MAX_BYTES, which would be read whole.
    """
    report = ValidationReport()
    for location, body in _records(iter(lines), name):
        report.add(location, body, check_record(body))
    return report


def field_of(path: str) -> str:
    """Return the field that ``path`` leads to, with ``*`` for the index of a line."""
    return re.sub(r"/\d+(?=/|$)", "/*", path)


def type_of(body: bytes | None) -> str:
    """Return the type of ``body``, which may be invalid otherwise. UNKNOWN if it cannot be read or is not known."""
    try:
        kind = _TYPE_ONLY.decode(body or b"").type
    except DECODING_ERRORS:
        return UNKNOWN
    return kind if kind in DATA else UNKNOWN


def _records(lines: Iterator[bytes], name: str) -> Iterator[tuple[str, bytes]]:
    """Yield each record with its location. Only an array, or a document of several lines, is read into memory."""
    start: list[bytes] = []
    for line in lines:
        start.append(line)
        if line.strip():
            break
    if not start:
        return
    if _json_error(start[-1]) is None and not start[-1].lstrip().startswith(b"["):
        yield from _by_line(chain(start, lines), name)
        return
    size = sum(map(len, start))
    for line in lines:
        size += len(line)
        if size > MAX_BYTES:
            raise _too_large(name)
        start.append(line)
    document = b"\n".join(line.rstrip(b"\r\n") for line in start)
    error = _json_error(document)
    if error is None and document.lstrip().startswith(b"["):
        for index, each in enumerate(_ARRAY.decode(document)):
            yield f"{name}/{index}", bytes(each)
    elif error is None:
        yield name, document
    elif any(line.lstrip().startswith(b"{") and _json_error(line) is None for line in start):
        yield from _by_line(start, name)
    elif document.strip():
        at = re.search(r"\(byte (\d+)\)", error)
        number = 1 + (document[: int(at[1])] if at else document.rstrip()).count(b"\n")
        yield f"{name}:{number}", document


def _by_line(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(lines, start=1):
        body = line.strip()
        if body:
            yield f"{name}:{number}", body


def _json_error(text: bytes) -> str | None:
    """Return why ``text`` is not one JSON value, or None if it is."""
    try:
        _JSON.decode(text)
    except DECODING_ERRORS as error:
        return str(error)
    return None
