"""The headers of a record: CloudEvents in binary mode, the trace, and the event's address in the log."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from msgspec import ValidationError, convert
from msgspec.json import encode
from msgspec.structs import fields

from ...application.event_log.records import FIRST_EPOCH, LogRecord, bucket_of
from ...application.recovery.epochs import MAX_EPOCH
from ...domain.errors import UndecodableEvent
from ...domain.text import MAX_IDENTIFIER
from .contract.header_schema import MAX_DIGITS, MAX_TEXT, RecordHeaders
from .envelope import DATA, Envelope
from .fields import TIME, Time, decoder, plain_value, utc
from .problems import DECODING_ERRORS, RECORD_VALUE, FieldProblem, truncated

Headers = Sequence[tuple[str, bytes | None]]
"""Headers as Kafka's clients return them. The value of a header may be None."""
HeaderValues = Mapping[str, bytes | None]

_SPECVERSION = b"1.0"
_CONTENT_TYPE = b"application/json"
ADDRESS = frozenset({"bucket", "position", "epoch"})
"""The event's address in the log. Only a relay writes it, because only a relay publishes without gaps."""
_SHOWN_BYTES = 500
_FIELDS = {field.encode_name: field for field in fields(RecordHeaders)}
_REQUIRED = frozenset(name for name, field in _FIELDS.items() if field.required)
_KINDS = {name: field.type if field.required else get_args(field.type)[0] for name, field in _FIELDS.items()}
"""The type of each header of the contract, if it is there."""
_USUAL = ("ce_subject", "ce_id", "ce_type", "bucket", "position", "sequence", "epoch")
_USUAL_VALUES = re.compile(
    rf"(?:[!-~]{{1,{MAX_IDENTIFIER}}}\n){{2}}[a-z._]+\n[0-9]{{1,3}}\n[1-9][0-9]{{0,{MAX_DIGITS - 1}}}\n"
    rf"[1-9][0-9]{{0,8}}\n[1-9][0-9]{{0,{len(str(MAX_EPOCH)) - 1}}}\n(?:[ -~]{{0,{MAX_TEXT}}}\n){{2}}"
)
"""The values of the headers of a relay's record, one a line, as nearly all records have them."""
_TIME = decoder(Time)


def _allowed(kind: Any) -> str:
    """Describe the values of a header of this type: what its type says of it, or the values themselves."""
    plain, *constraints = get_args(kind)
    return next((each.description for each in constraints if each.description), None) or ", ".join(get_args(plain))


def headers(record: LogRecord, *, source: str, epoch: int = FIRST_EPOCH) -> list[tuple[str, bytes]]:
    """Return the headers of ``record`` as they are on the topic, in order."""
    texts = header_texts(record, source=source, epoch=epoch)
    return [(name, text if isinstance(text, bytes) else text.encode()) for name, text in texts.items()]


def header_texts(record: LogRecord, *, source: str, epoch: int = FIRST_EPOCH) -> dict[str, str | bytes]:
    """Build the headers of ``record``, published in this epoch of the log.

    ``source`` is the CloudEvents source, a URI reference that identifies this service. The client encodes texts in
    UTF-8, and takes a dict sooner than a list of pairs.
    """
    bucket, position, order_id, sequence, type_, event_id, occurred_at, _, correlation_id, traceparent, _ = record
    result: dict[str, str | bytes] = {
        "ce_specversion": _SPECVERSION,
        "ce_id": event_id,
        "ce_source": source,
        "ce_type": type_,
        "ce_subject": order_id,
        "ce_time": encode(utc(occurred_at), enc_hook=plain_value)[1:-1],
        "content-type": _CONTENT_TYPE,
        "bucket": b"%d" % bucket,
        "position": b"%d" % position,
        "sequence": b"%d" % sequence,
        "epoch": b"%d" % epoch,
    }
    if correlation_id:
        result["correlation-id"] = correlation_id
    if traceparent:
        result["traceparent"] = traceparent
    return result


def record_from(*, key: bytes | None, value: bytes | None, headers: Headers | None) -> LogRecord:
    """Build the log's record from a Kafka record. If a header is repeated, the last one counts, as in Kafka.

    The body is not decoded. A record that cannot be from a relay is refused: its order belongs to another bucket, or a
    number or text is larger than the log's can be. Raises UndecodableEvent, whose field is ``headers/NAME``, ``key`` or
    ``value``.
    """
    values = dict(headers or ())
    if value is not None and (usual := _usual(key, value, values)) is not None:
        return usual
    order_id = _text(values, "ce_subject")
    for problem in key_problems(key, order_id):
        raise problem.error()
    if value is None:
        raise UndecodableEvent(RECORD_VALUE, "it is missing", "an event; the topic has no tombstones")
    return LogRecord(
        bucket=_bucket_of(values, order_id),
        position=int(_text(values, "position")),
        order_id=order_id,
        sequence=int(_text(values, "sequence")),
        type=_text(values, "ce_type"),
        event_id=_text(values, "ce_id"),
        occurred_at=_time(values),
        body=value,
        correlation_id=_text(values, "correlation-id"),
        traceparent=_text(values, "traceparent"),
        epoch=int(_text(values, "epoch")) if "epoch" in values else FIRST_EPOCH,  # older records have none
    )


def _usual(key: bytes | None, body: bytes, values: HeaderValues) -> LogRecord | None:
    """Return the record if all of its headers are as usual, checked at once, in a third of the time of one by one."""
    optional = values.get("correlation-id") or b"", values.get("traceparent") or b"", b""
    try:
        lines = b"\n".join([*(values[name] or b"" for name in _USUAL), *optional]).decode("ascii")
        at = _TIME.decode(b'"%s"' % (values["ce_time"] or b""))
    except (KeyError, *DECODING_ERRORS):
        return None
    if _USUAL_VALUES.fullmatch(lines) is None or key != values["ce_subject"]:
        return None
    order_id, event_id, kind, in_header, position, sequence, epoch, correlation, trace, _ = lines.split("\n")
    bucket = bucket_of(order_id)
    if kind not in DATA or int(in_header) != bucket or at.tzinfo is not UTC:
        return None
    return LogRecord(
        bucket,
        int(position),
        order_id,
        int(sequence),
        kind,
        event_id,
        at,
        body,
        correlation,
        trace,
        int(epoch),
    )


def header_problems(headers: Headers) -> list[FieldProblem]:
    """Find every header of the contract that is missing or invalid."""
    values = dict(headers)
    found = []
    for name in [name for name in _KINDS if name in values or name in _REQUIRED]:
        try:
            if name == "ce_time":
                _time(values)
            else:
                _text(values, name)
        except UndecodableEvent as error:
            found.append(FieldProblem(error.field, error.problem, error.allowed))
    return found


def header_contradictions(headers: Headers, envelope: Envelope) -> list[FieldProblem]:
    """Find the headers that contradict the body."""
    values = dict(headers)
    in_body = {"ce_id": envelope.id, "ce_type": envelope.type, "ce_subject": envelope.order_id}
    found = [
        FieldProblem(f"headers/{name}", f"it is {_shown(value)}", f"{expected}, as in the body")
        for name, expected in in_body.items()
        if (value := values.get(name)) is not None and value != expected.encode()
    ]
    try:
        at = _time(values)
    except UndecodableEvent:
        return found
    if at != envelope.occurred_at:
        allowed = f"{envelope.occurred_at.isoformat()}, as in the body"
        found.append(FieldProblem("headers/ce_time", f"it is {at.isoformat()}", allowed))
    return found


def bucket_problems(headers: Headers, order_id: str) -> list[FieldProblem]:
    """Find a valid bucket that is not that of the order."""
    values = dict(headers)
    try:
        _text(values, "bucket")
    except UndecodableEvent:
        return []
    try:
        _bucket_of(values, order_id)
    except UndecodableEvent as error:
        return [FieldProblem(error.field, error.problem, error.allowed)]
    return []


def order_id_of(headers: Headers) -> str | None:
    """Return the order's id from the headers, or None if it is missing or invalid."""
    try:
        return _text(dict(headers), "ce_subject")
    except UndecodableEvent:
        return None


def key_problems(key: bytes | None, order_id: str | None) -> list[FieldProblem]:
    """Find what is wrong with the key. If ``order_id`` is not known, only its presence is checked."""
    if key is not None and order_id in (None, key.decode("ascii", "replace")):
        return []
    problem = "it is missing" if key is None else f"it is {_shown(key)}"
    return [FieldProblem("key", problem, f"the order's id{', ' + order_id if order_id else ''}")]


def _text(values: HeaderValues, name: str) -> str:
    """Return a header of the contract as text, empty if it is absent and may be. Raises UndecodableEvent."""
    value = values.get(name)
    try:
        return str(convert((value or b"").decode(), _KINDS[name]))
    except (UnicodeDecodeError, ValidationError) as error:
        raise _invalid_header(name, value, _allowed(_KINDS[name])) from error


def _bucket_of(values: HeaderValues, order_id: str) -> int:
    if (bucket := int(_text(values, "bucket"))) != (expected := bucket_of(order_id)):
        raise _invalid_header("bucket", values["bucket"], f"{expected}, the bucket of this order")
    return bucket


def _time(values: HeaderValues) -> datetime:
    value = values.get("ce_time")
    try:
        return utc(_TIME.decode(b'"%s"' % (value or b"")))
    except DECODING_ERRORS as error:
        raise _invalid_header("ce_time", value, TIME) from error


def _invalid_header(name: str, value: bytes | None, allowed: str) -> UndecodableEvent:
    return UndecodableEvent(f"headers/{name}", "it is missing" if value is None else f"it is {_shown(value)}", allowed)


def _shown(value: bytes) -> str:
    return repr(truncated(value[:_SHOWN_BYTES].decode(errors="backslashreplace")))
