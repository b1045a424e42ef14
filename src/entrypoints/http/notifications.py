"""The route that lists the notifications about an order."""

from datetime import datetime
from typing import Annotated, Any

from attrs import frozen
from litestar import Request, Response, get
from litestar.di import NamedDependency

from ...application.notifications.list_notifications import ListNotifications
from ...application.notifications.notification import Notification, NotificationStatus
from ...application.redaction import redact
from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from .openapi import problems
from .parameters import parse_identifier, query
from .reads import json_response
from .views import view_of


@frozen(kw_only=True)
class NotificationView:
    """A notification of one recipient about one event. ``dueAt`` is when a pending one is tried again.

    It has no address, and ``detail``, which is the channel's answer, names none.
    """

    sequence: int
    event_type: str
    recipient: str
    channel: str
    subject: str
    text: str
    status: str
    attempts: int
    recorded_at: datetime
    due_at: datetime | None
    sent_at: datetime | None
    detail: str


@frozen(kw_only=True)
class NotificationsView:
    """The notifications about an order, by event, recipient and channel."""

    order_id: str
    notifications: tuple[NotificationView, ...]


@get(
    "",
    responses=problems(400, 401, 403, 404, 500, 503),
    operation_id="listNotifications",
    summary="List the notifications about an order",
)
async def list_notifications(
    request: Request[Actor, Any, Any],
    listing: NamedDependency[ListNotifications],
    order_id: Annotated[str | None, query("orderId", "the order; it is required")] = None,
) -> Response[NotificationsView]:
    """Return all notifications to admins, and to others those that they were sent themselves."""
    wanted = parse_identifier(order_id, "orderId")
    if wanted is None:
        raise InvalidInput("orderId", "it is missing", "the id of an order")
    found = await listing(wanted, by=request.user)
    return json_response(NotificationsView(order_id=wanted, notifications=tuple(map(_view, found))))


def _view(it: Notification) -> NotificationView:
    due_at = it.due_at if it.status is NotificationStatus.PENDING else None
    return view_of(NotificationView, it, due_at=due_at, detail=redact(it.detail))
