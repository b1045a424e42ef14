"""Identifiers are opaque: 1 to 64 printable ASCII characters without spaces."""

import re

from .errors import InvalidInput

MAX_IDENTIFIER = 64
_IDENTIFIER = re.compile(r"[!-~]{1,64}\Z")


def identifier(value: object, *, field: str) -> str:
    """``value`` itself, when it is an identifier. Raises InvalidInput that names ``field``."""
    if not isinstance(value, str) or not _IDENTIFIER.match(value):
        shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
        raise InvalidInput(field, f"{shown} is no identifier", "1 to 64 printable ASCII characters without spaces")
    return value


def text(value: object, *, field: str, at_most: int, at_least: int = 0) -> str:
    """``value`` itself, when it is text of that many characters without control characters. Raises InvalidInput."""
    allowed = f"text of {at_least} to {at_most} characters, without control characters"
    if not isinstance(value, str):
        raise InvalidInput(field, f"a {type(value).__name__}", allowed)
    if not at_least <= len(value) <= at_most or (at_least and not value.strip()):
        raise InvalidInput(field, f"{len(value)} characters" if value.strip() else "it is empty", allowed)
    if any(ord(char) < 32 or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise InvalidInput(field, "a control character", allowed)
    return value
