"""What may be asked in a query or said in a header, and how it is read."""

from datetime import UTC, datetime

from litestar.params import HeaderParameter, QueryParameter
from msgspec import ValidationError, convert

from ...application.orders.queries import MAX_PAGE
from ...domain.errors import InvalidInput
from ...domain.text import identifier


def query(name: str, description: str, **schema: object) -> QueryParameter:
    return QueryParameter(name=name, required=False, description=description, schema_extra=dict(schema))


def header(name: str, description: str) -> HeaderParameter:
    return HeaderParameter(name=name, required=False, description=description)


def time(name: str, description: str) -> QueryParameter:
    """A time; ``moment`` reads it."""
    return query(name, f"{description} (RFC 3339 with a zone)", format="date-time")


def moment(text: str, field: str) -> datetime:
    """A time with a zone, in UTC. Raises InvalidInput."""
    try:
        found = convert(text, datetime)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValidationError, OverflowError) as e:
        raise _no_moment(text, field) from e
    raise _no_moment(text, field)


def _no_moment(text: str, field: str) -> InvalidInput:
    allowed = "RFC 3339 with a zone, such as 2024-01-01T12:00:00Z (a + is written %2B)"
    return InvalidInput(field, f"{text[:80]!r} is no time with a zone", allowed)


def somebody(text: str | None, field: str) -> str | None:
    """An identifier, where one is given. Raises InvalidInput."""
    return None if text is None else identifier(text, field=field)


def count(text: str, field: str) -> int:
    """A whole number. Raises InvalidInput."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidInput(field, f"{text[:80]!r} is no whole number", f"1 to {MAX_PAGE}")
    return int(text)
