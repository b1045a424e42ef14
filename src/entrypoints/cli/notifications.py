"""``orderflow notifications``: what was sent, what waits, and what could not be sent."""

from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ...application.notifications.notification import Notification, NotificationStatus
from ...application.notifications.undelivered import Selection
from ...domain.errors import NotFound
from .arguments import checked_limit
from .session import rows, session, titled_lines

app = App(name="notifications")

Status = Literal["pending", "failed", "sent", "unreachable", "dropped"]


@app.command(name="list")
async def list_(*, status: Status | None = None, limit: int = 100) -> None:
    """List notifications of one --status; by default the pending ones and then the failed ones."""
    checked_limit(limit)
    statuses = (status,) if status else ("pending", "failed")
    async with session().opened() as container:
        outbox = container.effects().notifications
        found = [it for each in statuses for it in await outbox.list(NotificationStatus(each), limit=limit)]
        backlog = await outbox.backlog()
    _show(found[:limit])
    session().info(f"notifications pending: {backlog.pending}, failed: {backlog.failed}")


@app.command
async def show(order_id: str, /) -> None:
    """Show all notifications of an order, with their texts."""
    async with session().opened() as container:
        found = await container.effects().notifications.of_orders([order_id])
    if not found:
        raise NotFound("notification of order", order_id)
    session().show(found, rows("notification", "", "", of=(line for it in found for line in _lines(it))))


@app.command
async def resend(
    order_id: str,
    /,
    *,
    sequence: int | None = None,
    to: str | None = None,
    channel: str | None = None,
    again: Annotated[bool, Parameter(negative="")] = False,
    by: str,
    reason: str,
) -> None:
    """Send the notifications of an order that are pending, failed or dropped now, to the contact of today.

    --sequence N, --to ROLE:ID and --channel NAME select some of them. --again also sends what was sent before; its
    Message-ID is the same. --by NAME and --reason TEXT are recorded.
    """
    chosen = Selection(order_id=order_id, sequence=sequence, recipient=to, channel=channel)
    async with session().opened() as container:
        _show(await container.change_undelivered().resend(chosen, by=by, reason=reason, again=again))


@app.command
async def drop(
    order_id: str,
    /,
    *,
    sequence: int | None = None,
    to: str | None = None,
    channel: str | None = None,
    by: str,
    reason: str,
) -> None:
    """Never send the notifications of an order that are pending or failed.

    --sequence N, --to ROLE:ID and --channel NAME select some of them. --by NAME and --reason TEXT are recorded.
    """
    chosen = Selection(order_id=order_id, sequence=sequence, recipient=to, channel=channel)
    async with session().opened() as container:
        _show(await container.change_undelivered().drop(chosen, by=by, reason=reason))


def _show(found: Sequence[Notification]) -> None:
    columns = ("order", "event", "to", "channel", "status", "attempts", "due", "detail")
    cells = (
        (it.order_id, it.sequence, it.recipient, it.channel, it.status, it.attempts, _due(it), it.detail)
        for it in found
    )
    session().show(found, rows(*columns, of=cells))


def _due(notification: Notification) -> object:
    return notification.due_at if notification.status is NotificationStatus.PENDING else None


def _lines(notification: Notification) -> Sequence[tuple[object, ...]]:
    """Return the table's lines of one notification: event and recipient, name and value."""
    values = {
        "channel": notification.channel,
        "address": notification.address,
        "status": notification.status,
        "attempts": notification.attempts,
        "recorded": notification.recorded_at,
        "due": _due(notification),
        "sent": notification.sent_at,
        "detail": notification.detail,
        "subject": notification.subject,
        "text": notification.text.rstrip(),
    }
    return titled_lines(f"{notification.sequence} to {notification.recipient}", values)
