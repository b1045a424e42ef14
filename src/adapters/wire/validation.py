"""Checking events that somebody has written: all that is wrong with each of them, and where it stands."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from attrs import frozen
from msgspec import Raw, Struct
from msgspec.json import Decoder

from ...domain.errors import UndecodableEvent
from .codec import read_envelope
from .envelope import DATA
from .headers import Headers, disagreements, header_problems, key_problems, order_of
from .problems import UNREADABLE, FieldProblem, problems_in

UNKNOWN = "unknown"
"""What records are counted under whose type cannot be read, or is none of ours."""


class _Typed(Struct):
    type: str = UNKNOWN


_ANYTHING = Decoder(Raw)
_ARRAY = Decoder(list[Raw])
_TYPED = Decoder(_Typed)


@frozen
class InvalidRecord:
    """``where`` is the record (``day.jsonl:17``); ``problems`` are all that was found wrong with it."""

    where: str
    problems: tuple[FieldProblem, ...]


@frozen
class ValidationReport:
    """How many records were checked, how many of which type, and the faulty ones."""

    checked: int
    by_type: Mapping[str, int]
    faults: tuple[InvalidRecord, ...]


def check_record(body: bytes | None, *, key: bytes | None = None, headers: Headers | None = None) -> list[FieldProblem]:
    """All that is wrong with one record; nothing when it keeps the contract.

    Without ``headers`` it is a body as it stands in a file (and the key is looked at when there is one). With them
    it is a record of the topic: it must have its key, and the headers must say what the body says.
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
        found += disagreements(headers, envelope) if envelope else []
        order_id = order_id or order_of(headers)
    if headers is not None or key is not None:
        found += key_problems(key, order_id)
    return found


def check_lines(lines: Iterable[bytes], *, name: str) -> ValidationReport:
    """Checks a file of events: one a line (JSON lines, read as it comes), one JSON document, or a JSON array.

    ``name`` is the file's; a fault is at ``name:LINE``, in an array at ``name/INDEX`` (from 0). Blank lines are
    passed over.
    """
    by_type: Counter[str] = Counter()
    faults = []
    for where, body in _records(iter(lines), name):
        by_type[type_of(body)] += 1
        problems = check_record(body)
        if problems:
            faults.append(InvalidRecord(where, tuple(problems)))
    return ValidationReport(by_type.total(), dict(by_type), tuple(faults))


def type_of(body: bytes | None) -> str:
    """The type that ``body`` says it is, faulty or not; UNKNOWN where that cannot be read or is none of ours."""
    try:
        said = _TYPED.decode(body or b"").type
    except UNREADABLE:
        return UNKNOWN
    return said if said in DATA else UNKNOWN


def _records(lines: Iterator[bytes], name: str) -> Iterator[tuple[str, bytes]]:
    """Each record with its place. Only a document that spans lines, or an array, is read into memory."""
    start: list[bytes] = []
    for line in lines:
        start.append(line)
        if line.strip():
            break
    if not start:
        return
    if _fault(start[-1]) is None and not start[-1].lstrip().startswith(b"["):
        yield from _by_line(chain(start, lines), name)
        return
    start += lines
    document = b"\n".join(line.rstrip(b"\r\n") for line in start)
    fault = _fault(document)
    if fault is None and document.lstrip().startswith(b"["):
        for index, one in enumerate(_ARRAY.decode(document)):
            yield f"{name}/{index}", bytes(one)
    elif fault is None:
        yield name, document
    elif any(line.lstrip().startswith(b"{") and _fault(line) is None for line in start):
        yield from _by_line(start, name)
    elif document.strip():
        at = re.search(r"\(byte (\d+)\)", fault)
        number = 1 + (document[: int(at[1])] if at else document.rstrip()).count(b"\n")
        yield f"{name}:{number}", document


def _by_line(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(lines, start=1):
        body = line.strip()
        if body:
            yield f"{name}:{number}", body


def _fault(text: bytes) -> str | None:
    """What keeps ``text`` from being one JSON value; None when it is one."""
    try:
        _ANYTHING.decode(text)
    except UNREADABLE as error:
        return str(error)
    return None
