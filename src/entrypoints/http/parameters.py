"""Declares and parses query parameters and headers."""

from datetime import UTC, datetime

from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import HeaderParameter, QueryParameter
from msgspec import ValidationError, convert

from ...application.orders.queries import DEFAULT_PAGE, MAX_PAGE
from ...domain.errors import InvalidInput
from ...domain.text import identifier


def query(name: str, description: str, **schema: object) -> QueryParameter:
    return QueryParameter(name=name, required=False, description=description, schema_extra=dict(schema))


def header(name: str, description: str) -> HeaderParameter:
    return HeaderParameter(name=name, required=False, description=description)


def time(name: str, description: str) -> QueryParameter:
    """Declare a parameter that ``parse_time`` parses."""
    return query(name, f"{description} (RFC 3339 with a zone)", format="date-time")


def parse_time(text: str, field: str) -> datetime:
    """Parse a time with a zone, and convert it to UTC. Raises InvalidInput."""
    try:
        parsed = convert(text, datetime)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValidationError, OverflowError) as e:
        raise _invalid_time(text, field) from e
    raise _invalid_time(text, field)


def _invalid_time(text: str, field: str) -> InvalidInput:
    allowed = "RFC 3339 with a zone, such as 2024-01-01T12:00:00Z (encode + as %2B)"
    return InvalidInput(field, f"{text[:80]!r} is not a time with a zone", allowed)


def parse_identifier(text: str | None, field: str) -> str | None:
    """Validate an identifier, which may be absent. Raises InvalidInput."""
    return None if text is None else identifier(text, field=field)


def limit(subject: str) -> QueryParameter:
    """Declare a parameter that ``parse_limit`` parses."""
    return query(
        "limit",
        f"{subject}, 1 to {MAX_PAGE}; the default is {DEFAULT_PAGE}",
        type=OpenAPIType.INTEGER,
        minimum=1,
        maximum=MAX_PAGE,
    )


def parse_limit(text: str | None) -> int:
    """Parse the size of a page. Raises InvalidInput."""
    if text is None:
        return DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidInput("limit", f"{text[:80]!r} is not a whole number", f"1 to {MAX_PAGE}")
    return int(text)


def parse_flag(text: str, field: str) -> bool:
    """Parse true or false. Raises InvalidInput."""
    if text not in ("true", "false"):
        raise InvalidInput(field, f"{text[:80]!r} is neither", "true or false")
    return text == "true"
