"""Opaque cursors of lists: the position at which a page ended, as time and order id, and the filter of the list."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

from ..application.orders.queries import OrderQuery
from ..domain.errors import InvalidInput
from ..domain.order import Order
from ..domain.text import identifier


def cursor_after(order: Order, query: OrderQuery) -> str:
    """Return the cursor of a page that ended with ``order``."""
    return _encoded(query.sort_time(order), order.id, query.filter)


def _encoded(at: datetime, order_id: str, of: str) -> str:
    position = json.dumps([at.astimezone(UTC).isoformat(), order_id, of])
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, query: OrderQuery) -> tuple[datetime, str]:
    """Return the position at which the page ended. Raises InvalidInput unless the cursor is of a page of ``query``."""
    try:
        at, order_id, of = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = (datetime.fromisoformat(at), identifier(order_id, field="cursor"))
        if _encoded(*position, of) != cursor:
            raise ValueError(cursor)
    except (ValueError, TypeError, OverflowError, RecursionError, InvalidInput):
        raise InvalidInput("cursor", "it is not a valid cursor", "the nextCursor of the previous page") from None
    if of != query.filter:
        raise InvalidInput("cursor", "it belongs to another filter or sort", "the parameters of the previous page")
    return position
