"""Opaque cursors of lists: the position at which a page ended, as creation time and order id."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

from ..domain.errors import InvalidInput
from ..domain.text import identifier


def encode_cursor(created_at: datetime, order_id: str) -> str:
    """Return the cursor of a page that ended with this order."""
    position = json.dumps([created_at.astimezone(UTC).isoformat(), order_id])
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the position at which the page ended. Raises InvalidInput unless ``encode_cursor`` created the cursor."""
    try:
        created_at, order_id = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = (datetime.fromisoformat(created_at), identifier(order_id, field="cursor"))
        if encode_cursor(*position) != cursor:
            raise ValueError(cursor)
    except (ValueError, TypeError, OverflowError, RecursionError, InvalidInput):
        raise InvalidInput("cursor", "it is not a valid cursor", "the nextCursor of the previous page") from None
    return position
