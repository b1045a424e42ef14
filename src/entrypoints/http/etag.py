"""Versions as entity tags: an order's ETag is its version."""

import re

from ...domain.errors import InvalidInput

_STRONG = re.compile(r'"(0|[1-9][0-9]{0,8})"\Z')
_EVERY = re.compile(r'(?:W/)?"([^"]*)"')


def etag(version: int) -> str:
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version that a write was decided on; None where any will do. Raises InvalidInput."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _STRONG.match(if_match.strip())
    if tag is None:
        raise InvalidInput(
            "If-Match", f"{if_match[:80]!r} is no version", 'one ETag as it was answered, such as "3", or *'
        )
    return int(tag[1])


def not_modified(if_none_match: str | None, version: int) -> bool:
    """Whether the caller has this version already (compared weakly, RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in _EVERY.findall(if_none_match)
