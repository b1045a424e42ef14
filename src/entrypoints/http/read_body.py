"""Decodes the bodies of requests. Amounts are exact, and every error names its field."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, get_args

from msgspec import MsgspecError, Raw, Struct, ValidationError
from msgspec.json import Decoder
from msgspec.structs import fields

from ...adapters.wire.fields import Amount
from ...domain.errors import InvalidInput
from ...domain.validation import MAX_LINES
from .body_fields import Body

B = TypeVar("B", bound=Body)
_UNKNOWN = "Object contains unknown field `"
_MISSING = "Object missing required field `"
_AT = " - at `$"
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`\Z")
_STEPS = re.compile(r"[^.\[\]]+")
_MAX_SHOWN = 300
"""Characters of the name of an unknown field, and of a message. A caller chooses their size."""
_JSON_KINDS: Mapping[type, str] = {str: "str", bool: "bool", list: "array", type(None): "null"}
_KIND_NAMES: Mapping[str, str] = {
    "str": "text",
    "int": "a whole number",
    "float": "a number with decimals",
    "number": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
}


def read_body(body: bytes, kind: type[B]) -> B:
    """Decode ``body``, without floats for amounts. Raises InvalidInput that names the field."""
    try:
        if body.count(b"{") > MAX_LINES:
            _refuse_too_many_lines(body)
        decoded: B = _decoder(kind).decode(body)
        if not names_are_unique(body):
            _refuse_repeated_names(body)
        return decoded
    except ValidationError as e:
        raise _invalid(str(e), kind) from e
    except ArithmeticError as e:
        raise InvalidInput("", "a number is out of range", "numbers as in /openapi.json") from e
    except (MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise InvalidInput("", f"it is not valid JSON: {e}", "a JSON object in UTF-8") from e


class _Lines(Struct, rename="camel"):
    order_details: list[Raw] = []


_LINES = Decoder(_Lines)


def _refuse_too_many_lines(body: bytes) -> None:
    """Count the lines before any of them is decoded. Raises InvalidInput."""
    try:
        lines = len(_LINES.decode(body).order_details)
    except MsgspecError:
        return  # decoding the body says what is wrong
    if lines > MAX_LINES:
        raise InvalidInput("orderDetails", f"{lines} lines", f"1 to {MAX_LINES} lines")


_COLON = re.compile(rb'"\s*:')
_ANYTHING = Decoder(float_hook=str)


def names_are_unique(body: bytes) -> bool:
    """Return True if no object in ``body``, which is JSON, has two members of the same name; False if one may.

    Each member has a quote and a colon in the text, and of repeated ones only the last is decoded. So if there are as
    many of the former as of the latter, none is repeated. It takes a third of the time of looking at each name.
    """
    try:
        return len(_COLON.findall(body)) == _members(_ANYTHING.decode(body))
    except MsgspecError:  # such as a number that is larger than any that a body may have
        return False


def _members(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_members(child) for child in value.values() if isinstance(child, dict | list))
    return sum(_members(child) for child in value if isinstance(child, dict | list)) if isinstance(value, list) else 0


class _Members(list[tuple[str, object]]):
    """The members of a JSON object, repeated ones included."""


def _refuse_repeated_names(body: bytes) -> None:
    repeats = False

    def members(pairs: list[tuple[str, object]]) -> _Members:
        nonlocal repeats
        repeats = repeats or len({name for name, _ in pairs}) < len(pairs)
        return _Members(pairs)

    document = json.loads(body, object_pairs_hook=members, parse_int=str, parse_float=str)
    if repeats:
        for field, times in _repeated_names(document, ""):
            raise InvalidInput(field, f"it is given {times} times", "each field once")


def _repeated_names(value: object, path: str) -> Iterator[tuple[str, int]]:
    """Find the repeated fields in ``value``, which is at ``path``; outer ones come first."""
    children: Sequence[tuple[str, object]] = ()
    if isinstance(value, _Members):
        children = [(_escaped(name), child) for name, child in value]
        names = Counter(name for name, _ in children)
        yield from ((path + name, times) for name, times in names.items() if times > 1)
    elif isinstance(value, list):
        children = [(str(index), child) for index, child in enumerate(value)]
    for step, child in children:
        yield from _repeated_names(child, f"{path}{step}/")


def _escaped(name: str) -> str:
    """Return ``name`` as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


@cache
def _decoder(kind: type[B]) -> Decoder[B]:
    return Decoder(kind, dec_hook=_exact_number, float_hook=Decimal)


def _exact_number(kind: type, value: object) -> Decimal:
    if kind is Amount and type(value) is int:
        return Decimal(value)
    if kind is Amount and type(value) is Decimal:
        return value
    raise ValueError(f"Expected `number`, got `{_JSON_KINDS.get(type(value), 'object')}`")


def _invalid(message: str, kind: type[Body]) -> InvalidInput:
    """Translate a message of msgspec to an error with the path of the field."""
    problem, at, path = message.rpartition(_AT)
    if not at:
        problem, path = message, ""
    steps = _STEPS.findall(path.removesuffix("`")[:_MAX_SHOWN])
    for start in (_UNKNOWN, _MISSING):
        if problem.startswith(start):
            name = problem[len(start) :].removesuffix("`")[:_MAX_SHOWN]
            field = "/".join([*steps, _escaped(name)])
            if start is _MISSING:
                return InvalidInput(field, "it is missing", "a value")
            allowed = ", ".join(field.encode_name for field in fields(_at(kind, steps)))
            return InvalidInput(field, "there is no such field", f"the fields {allowed}")
    if expected := _EXPECTED.match(problem[:_MAX_SHOWN]):
        return InvalidInput("/".join(steps), f"it is {_kind_names(expected['got'])}", _kind_names(expected["expected"]))
    return InvalidInput("/".join(steps), problem[:_MAX_SHOWN], "see /openapi.json")


def _kind_names(kinds: str) -> str:
    return " or ".join(_KIND_NAMES.get(kind, kind) for kind in kinds.split(" | "))


def _at(kind: Any, path: list[str]) -> Any:
    """Return the type of the body at ``path`` within ``kind``, as far as a caller's text has not invented it."""
    for name in path:
        types = (field.type for field in fields(kind) if field.encode_name == name)
        kind = next((body for found in types for body in _bodies(found)), kind)
    return kind


def _bodies(kind: Any) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, Body):
        return [kind]
    return [body for part in get_args(kind) for body in _bodies(part)]
