"""Opaque cursors of lists: where a page ended, as (creation time, order id)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

from ..domain.errors import InvalidInput
from ..domain.text import identifier


def cursor_of(created_at: datetime, order_id: str) -> str:
    """The cursor of a page that ended with this order."""
    place = json.dumps([created_at.astimezone(UTC).isoformat(), order_id])
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def after_cursor(cursor: str) -> tuple[datetime, str]:
    """Where the page ended. Raises InvalidInput for anything that ``cursor_of`` did not make."""
    try:
        created_at, order_id = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = (datetime.fromisoformat(created_at), identifier(order_id, field="cursor"))
        if cursor_of(*place) != cursor:
            raise ValueError(cursor)
    except (ValueError, TypeError, OverflowError, RecursionError, InvalidInput):
        raise InvalidInput("cursor", "it is no cursor of ours", "the nextCursor of the page before") from None
    return place
