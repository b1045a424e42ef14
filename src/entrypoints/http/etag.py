"""Entity tags. The ETag of an order, or of a list of prices, is its version."""

import re

from ...domain.errors import InvalidInput

_STRONG = re.compile(r'"(0|[1-9][0-9]{0,8})"\Z')
_EVERY = re.compile(r'(?:W/)?"([^"]*)"')


def etag(version: int) -> str:
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """Return the version that If-Match requires, or None if it allows any. Raises InvalidInput."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _STRONG.match(if_match.strip())
    if tag is None:
        raise InvalidInput("If-Match", f"{if_match[:80]!r} is not one strong ETag", 'one ETag, such as "3", or *')
    return int(tag[1])


def not_modified(if_none_match: str | None, version: int) -> bool:
    """Return whether If-None-Match contains this version (weak comparison, RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in _EVERY.findall(if_none_match)
