"""The headers of a record: CloudEvents in binary mode, the trace, and the event's address in the log."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec.json import encode

from ...application.event_log.records import FIRST_EPOCH, LogRecord
from ...domain.errors import InvalidInput, UndecodableEvent
from ...domain.text import identifier
from .contract.header_schema import NUMBER, POSITIVE, TEXT
from .envelope import DATA, Envelope
from .fields import TIME, Time, decoder, utc
from .problems import UNREADABLE, WHOLE, FieldProblem

Headers = Sequence[tuple[str, bytes | None]]
"""Headers as Kafka's clients return them. The value of a header may be None."""
Given = Mapping[str, bytes | None]

SPECIFICATION = b"1.0"
CONTENT_TYPE = b"application/json"
ADDRESS = frozenset({"bucket", "position", "epoch"})
"""The event's address in the log. Only a relay writes it, because only a relay publishes without gaps."""
_SPECIFIED = ("ce_specversion", SPECIFICATION)
_CONTENT = ("content-type", CONTENT_TYPE)
_DIGITS = 18
_SHOWN = 80
_TIME = decoder(Time)


def headers(record: LogRecord, *, source: str, epoch: int = FIRST_EPOCH) -> list[tuple[str, bytes]]:
    """Build the headers of ``record``, published in this epoch of the log.

    ``source`` is the CloudEvents source, a URI reference that identifies this service.
    """
    bucket, position, order_id, sequence, type_, event_id, occurred_at, _, correlation_id, traceparent, _ = record
    named = [
        _SPECIFIED,
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("ce_subject", order_id.encode()),
        ("ce_time", encode(utc(occurred_at))[1:-1]),
        _CONTENT,
        ("bucket", b"%d" % bucket),
        ("position", b"%d" % position),
        ("sequence", b"%d" % sequence),
        ("epoch", b"%d" % epoch),
    ]
    if correlation_id:
        named.append(("correlation-id", correlation_id.encode()))
    if traceparent:
        named.append(("traceparent", traceparent.encode()))
    return named


def record_from(*, key: bytes | None, value: bytes | None, headers: Headers | None) -> LogRecord:
    """Build the log's record from a Kafka record. If a header is repeated, the last one counts, as in Kafka.

    The body is not decoded. Raises UndecodableEvent, whose field is ``headers/NAME``, ``key`` or ``value``.
    """
    given = dict(headers or ())
    order_id = _identifier(given, "ce_subject")
    for problem in key_problems(key, order_id):
        raise problem.error()
    if value is None:
        raise UndecodableEvent(WHOLE, "it is missing", "an event; the topic has no tombstones")
    return LogRecord(
        bucket=_number(given, "bucket"),
        position=_positive(given, "position"),
        order_id=order_id,
        sequence=_positive(given, "sequence"),
        type=_type(given, "ce_type"),
        event_id=_identifier(given, "ce_id"),
        occurred_at=_time(given, "ce_time"),
        body=value,
        correlation_id=_text(given, "correlation-id"),
        traceparent=_text(given, "traceparent"),
        epoch=_epoch(given, "epoch"),
    )


def header_problems(headers: Headers) -> list[FieldProblem]:
    """Find every header of the contract that is missing or invalid."""
    given = dict(headers)
    found = []
    for name, read in _READERS.items():
        try:
            read(given, name)
        except UndecodableEvent as error:
            found.append(FieldProblem(error.field, error.problem, error.allowed))
    return found


def disagreements(headers: Headers, envelope: Envelope) -> list[FieldProblem]:
    """Find the headers that contradict the body."""
    given = dict(headers)
    told = {"ce_id": envelope.id, "ce_type": envelope.type, "ce_subject": envelope.order_id}
    found = [
        FieldProblem(f"headers/{name}", f"it is {_shown(said)}", f"{body_says}, as in the body")
        for name, body_says in told.items()
        if (said := given.get(name)) is not None and said != body_says.encode()
    ]
    try:
        at = _time(given, "ce_time")
    except UndecodableEvent:
        return found
    if at != envelope.occurred_at:
        allowed = f"{envelope.occurred_at.isoformat()}, as in the body"
        found.append(FieldProblem("headers/ce_time", f"it is {at.isoformat()}", allowed))
    return found


def order_of(headers: Headers) -> str | None:
    """Return the order's id from the headers, or None if it is missing or invalid."""
    try:
        return _identifier(dict(headers), "ce_subject")
    except UndecodableEvent:
        return None


def key_problems(key: bytes | None, order_id: str | None) -> list[FieldProblem]:
    """Find what is wrong with the key. If ``order_id`` is not known, only its presence is checked."""
    if key is not None and order_id in (None, key.decode("ascii", "replace")):
        return []
    said = "it is missing" if key is None else f"it is {_shown(key)}"
    return [FieldProblem("key", said, f"the order's id{', ' + order_id if order_id else ''}")]


def _number(given: Given, name: str) -> int:
    said = given.get(name)
    if said is None or not said.isdigit() or len(said) > _DIGITS:
        raise _wrong(name, said, NUMBER)
    return int(said)


def _positive(given: Given, name: str) -> int:
    said = given.get(name)
    if said is None or not said.isdigit() or len(said) > _DIGITS or not (number := int(said)):
        raise _wrong(name, said, POSITIVE)
    return number


def _epoch(given: Given, name: str) -> int:
    """Read the epoch. Records that were published before epochs were introduced belong to the first."""
    return _positive(given, name) if name in given else FIRST_EPOCH


def _identifier(given: Given, name: str) -> str:
    said = given.get(name)
    try:
        return identifier(said and said.decode("ascii", "replace"), field=name)
    except InvalidInput as error:
        raise _wrong(name, said, error.allowed) from error


def _type(given: Given, name: str) -> str:
    said = given.get(name)
    kind = said.decode("ascii", "replace") if said else ""
    if kind not in DATA:
        raise _wrong(name, said, ", ".join(DATA))
    return kind


def _time(given: Given, name: str) -> datetime:
    said = given.get(name)
    try:
        return utc(_TIME.decode(b'"%s"' % (said or b"")))
    except UNREADABLE as error:
        raise _wrong(name, said, TIME) from error


def _text(given: Given, name: str) -> str:
    try:
        return (given.get(name) or b"").decode()
    except UnicodeDecodeError as error:
        raise _wrong(name, given[name], TEXT) from error


def _exactly(wanted: bytes) -> Callable[[Given, str], bytes]:
    def read(given: Given, name: str) -> bytes:
        if given.get(name) != wanted:
            raise _wrong(name, given.get(name), wanted.decode())
        return wanted

    return read


def _source(given: Given, name: str) -> str:
    if not given.get(name):
        raise _wrong(name, given.get(name), "a URI reference that identifies the producer")
    return _text(given, name)


def _wrong(name: str, said: bytes | None, allowed: str) -> UndecodableEvent:
    return UndecodableEvent(f"headers/{name}", "it is missing" if said is None else f"it is {_shown(said)}", allowed)


def _shown(said: bytes) -> str:
    text = said.decode(errors="backslashreplace")
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


_READERS: Mapping[str, Callable[[Given, str], object]] = {
    "ce_specversion": _exactly(SPECIFICATION),
    "ce_id": _identifier,
    "ce_source": _source,
    "ce_type": _type,
    "ce_subject": _identifier,
    "ce_time": _time,
    "content-type": _exactly(CONTENT_TYPE),
    "bucket": _number,
    "position": _positive,
    "sequence": _positive,
    "epoch": _epoch,
    "correlation-id": _text,
    "traceparent": _text,
}
