"""Checks of identifiers and texts, and how error messages quote a value.

An identifier is opaque: 1 to 64 printable ASCII characters without spaces.
"""

import re
from decimal import Decimal
from typing import TypeGuard

from .errors import InvalidInput

MAX_IDENTIFIER = 64
_IDENTIFIER = re.compile(rf"[!-~]{{1,{MAX_IDENTIFIER}}}\Z")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
UNPRINTABLE = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff"
"""Characters of a class in a regular expression: controls above ASCII, of lines and of direction, and surrogates."""
_ESCAPED = re.compile(f"[\x00-\x08\x0b-\x1f{UNPRINTABLE}]")


def shown(value: object) -> str:
    """Return ``value`` as an error message quotes it, cut to 80 characters."""
    if isinstance(value, int) and value.bit_length() > 1000:
        quoted = hex(value)  # Python refuses to write so long a number in decimal
    elif isinstance(value, str | bytes):
        quoted = repr(value[:81])
    else:
        quoted = str(value) if isinstance(value, Decimal) else repr(value)
    return quoted if len(quoted) <= 80 else quoted[:77] + "..."


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``number`` and its noun: ``1 event``, ``0 events``; with a ``plural`` that is not by -s, ``2 copies``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def printable(text: str) -> str:
    """Return ``text`` with control characters as backslash escapes, except tabs and ends of lines.

    What it shows then cannot move the cursor, change colours or turn the direction of a terminal.
    """
    return _ESCAPED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def storable(value: object, *, at_most: int | None = None) -> str:
    """Return the text of ``value``, cut to ``at_most`` characters, with NUL and lone surrogates escaped.

    Those cannot be stored, and another system's answer or error may contain them.
    """
    return str(value)[:at_most].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def is_identifier(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _IDENTIFIER.match(value) is not None


def identifier(value: object, *, field: str) -> str:
    """Return ``value`` if it is an identifier. Raises InvalidInput, which names ``field``."""
    if not is_identifier(value):
        allowed = f"1 to {MAX_IDENTIFIER} printable ASCII characters without spaces"
        raise InvalidInput(field, f"{shown(value)} is no identifier", allowed)
    return value


def text(value: object, *, field: str, at_most: int, at_least: int = 0) -> str:
    """Return ``value`` if it is text of that many characters, none of them a control character. Raises InvalidInput."""
    if not isinstance(value, str):
        problem = f"a {type(value).__name__}"
    elif at_least and not value.strip():
        problem = "it is empty"
    elif not at_least <= len(value) <= at_most:
        problem = f"{len(value)} characters"
    elif _CONTROL.search(value):
        problem = "a control character"
    else:
        return value
    raise InvalidInput(field, problem, f"text of {at_least} to {at_most} characters, without control characters")
