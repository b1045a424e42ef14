"""Finds what is invalid in the bytes of an event, with the path of each field."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from attrs import frozen
from msgspec import MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder
from msgspec.structs import FieldInfo, fields

from ...domain.errors import UndecodableEvent
from ...domain.money import EXACT
from ...domain.validation import MAX_LINES
from .envelope import DATA, CreatedData, EnvelopeOf, OrderDetail, OrderDetails
from .fields import decoder, utc

DECODING_ERRORS = (MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError)
"""Everything that decoding JSON raises, whatever the bytes. ArithmeticError: a time that UTC cannot represent."""
RECORD_VALUE = "value"
"""The path of a problem with the record's bytes as a whole, which Kafka calls its value."""
_AN_OBJECT = "a JSON object in UTF-8"
_SHOWN = 80
_decoder: Callable[[Any], Decoder[Any]] = cache(decoder)
_fields: Callable[[type[Struct]], Sequence[FieldInfo]] = cache(fields)


@frozen
class FieldProblem:
    """The ``path`` of an invalid field (``data/orderDetails/0/price``), the problem, and what is allowed."""

    path: str
    problem: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; allowed: {self.allowed}"

    def error(self) -> UndecodableEvent:
        return UndecodableEvent(self.path, self.problem, self.allowed)


def problems_in(body: bytes | None) -> Sequence[FieldProblem]:
    """Find every field of the envelope and its data that is missing or invalid.

    For another version, only the version is reported, because its fields are not known. Each value is shown with
    at most 80 characters. The lines of an order are checked if there are no more than allowed, so the number of
    problems is bounded, too.
    """
    if not body:
        return [FieldProblem(RECORD_VALUE, "it is missing" if body is None else "it is empty", _AN_OBJECT)]
    try:
        body.decode()
        values = _decoder(dict[str, Raw]).decode(body)
    except DECODING_ERRORS as error:
        return [FieldProblem(RECORD_VALUE, _malformed(body, error), _AN_OBJECT)]
    found = _field_problems(values, EnvelopeOf[Raw], "")
    found.sort(key=lambda problem: problem.path != "type")
    other_version = [problem for problem in found if problem.path == "version" and "version" in values]
    if other_version:
        return other_version
    if "data" in values and not any(problem.path == "type" for problem in found):
        data = DATA[_decoder(str).decode(values["type"])]
        found += _struct_problems(values["data"], data, "data/") or _data_problems(values["data"], data)
    return found


def contradictions(data: CreatedData) -> list[FieldProblem]:
    """Find amounts that contradict each other: a discount above its line's price, a total below its lines."""
    found = []
    goods = Decimal(0)
    for index, line in enumerate(data.order_details):
        cost = EXACT.multiply(line.price, line.quantity)
        if line.discount > cost:
            found.append(FieldProblem(f"data/orderDetails/{index}/discount", f"it is {line.discount}", f"0 to {cost}"))
        goods = EXACT.add(goods, EXACT.subtract(cost, line.discount))
    if data.total_price < goods:
        found.append(FieldProblem("data/totalPrice", f"it is {data.total_price}", f"at least the lines' {goods}"))
    return found


def undecodable_event(body: bytes, error: Exception, path: str) -> UndecodableEvent:
    """Return the error for a body whose decoding at ``path`` raised ``error``. It names the first problem."""
    for problem in problems_in(body):
        return problem.error()
    return _repeated_field(error, path).error()


def _repeated_field(error: Exception, path: str) -> FieldProblem:
    """Return the problem of a repeated field. ``problems_in`` checks its last value, decoding checks each."""
    problem, _, deeper = str(error).partition(" - at `$")
    steps = [path, *re.findall(r"\w+", deeper)]
    return FieldProblem(
        "/".join(filter(None, steps)) or RECORD_VALUE, truncated(problem), "a valid value, and each field only once"
    )


def _struct_problems(raw: Raw, kind: type[Struct], path: str) -> list[FieldProblem]:
    try:
        values = _decoder(dict[str, Raw]).decode(raw)
    except DECODING_ERRORS:
        return [FieldProblem(path.rstrip("/"), f"it is {_shown(raw)}", "an object")]
    return _field_problems(values, kind, path)


def _data_problems(raw: Raw, kind: type[Struct]) -> list[FieldProblem]:
    """Find what is wrong with data whose fields are each valid."""
    try:
        data = _decoder(kind).decode(raw)
    except DECODING_ERRORS as error:
        return [_repeated_field(error, "data")]
    return contradictions(data) if isinstance(data, CreatedData) else []


def _field_problems(values: dict[str, Raw], kind: type[Struct], path: str) -> list[FieldProblem]:
    found: list[FieldProblem] = []
    for field in _fields(kind):
        name = field.encode_name
        if name in values:
            found += _value_problems(values[name], field.type, path + name)
        elif field.required:
            found.append(FieldProblem(path + name, "it is missing", _allowed(field.type)))
    return found


def _value_problems(raw: Raw, kind: Any, path: str) -> list[FieldProblem]:
    found: list[FieldProblem] = []
    lines = _lines(raw) if kind == OrderDetails else ()
    if len(lines) > MAX_LINES:
        return [FieldProblem(path, f"it is an array of {len(lines)} elements", _allowed(kind))]
    for index, line in enumerate(lines):
        found += _struct_problems(line, OrderDetail, f"{path}/{index}/")
    if found:
        return found
    try:
        value = _decoder(kind).decode(raw)
        if isinstance(value, datetime):
            utc(value)
    except DECODING_ERRORS as error:
        if " - at `$[" in str(error):
            return [_repeated_field(error, path)]
        return [FieldProblem(path, f"it is {_shown(raw)}", _allowed(kind))]
    return []


def _lines(raw: Raw) -> Sequence[Raw]:
    try:
        lines: list[Raw] = _decoder(list[Raw]).decode(raw)
    except DECODING_ERRORS:
        return ()
    return lines


def _malformed(body: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    message = str(error)
    return "it is " + _kind(body.lstrip()[:1]) if "Expected `object`" in message else message


def _shown(raw: Raw) -> str:
    """Show a JSON value as it is written, cut to 80 characters. Arrays and objects are shown by their kind only."""
    text = bytes(raw).strip().decode(errors="replace")
    return _kind(text[:1].encode()) if text[:1] in ("{", "[") else truncated(text)


def truncated(text: str) -> str:
    """Cut ``text`` to 80 characters."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _kind(first: bytes) -> str:
    kinds = {b"{": "an object", b"[": "an array", b'"': "text", b"t": "true", b"f": "false", b"n": "null"}
    return kinds.get(first, "a number")


@cache
def _allowed(kind: Any) -> str:
    """Describe the values that a field of this type allows."""
    if get_origin(kind) in (Union, UnionType):
        options = [_allowed(each) for each in get_args(kind) if each is not UnsetType]
        return f"{' or '.join(options)}, or absent"
    if get_origin(kind) is Annotated:
        return str(get_args(kind)[1].description)
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    if kind is bool:
        return "true or false"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(kind)
    return "an object"
