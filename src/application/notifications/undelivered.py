"""Notifications that were not sent: sending them again, or dropping them, by an operator."""

import logging
from collections.abc import Sequence

from attrs import evolve, frozen

from ...domain.errors import InvalidInput, NotFound
from ...domain.text import counted
from ..clock import Clock
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .notification import ERASED, Notification, NotificationStatus
from .ports import Contacts, Notifications, Notifier

MAX_NAMED = 10
"""Notifications that a refusal names."""
logger = logging.getLogger("orderflow.notify")


@frozen(kw_only=True)
class Selection:
    """The notifications of one order that an operator means; None selects all."""

    order_id: str
    sequence: int | None = None
    recipient: str | None = None
    channel: str | None = None

    def selects(self, notification: Notification) -> bool:
        wanted = (self.sequence, self.recipient, self.channel)
        found = (notification.sequence, notification.recipient, notification.channel)
        return all(one is None or one == other for one, other in zip(wanted, found, strict=True))


@frozen
class ChangeUndelivered:
    """Sends notifications of an order again, or drops them. The operator's note enters the maintenance log.

    Raises InvalidInput for a blank name or reason, and if nothing is selected or may be changed; NotFound if the order
    has none; StorageUnavailable.
    """

    notifications: Notifications
    contacts: Contacts
    channels: Sequence[Notifier]
    maintenance_log: MaintenanceLog
    clock: Clock

    async def resend(
        self, selection: Selection, *, by: str, reason: str, again: bool = False
    ) -> Sequence[Notification]:
        """Make the selected notifications due now, to the recipient's address of today; return them.

        Those that were sent are left out unless ``again``, and those that were erased always. The key of a message
        stays the same.
        """
        allowed = {NotificationStatus.PENDING, NotificationStatus.FAILED, NotificationStatus.DROPPED}
        may = await self._selected(selection, allowed | ({NotificationStatus.SENT} if again else set()))
        if not (found := [it for it in may if it.detail != ERASED]):
            raise InvalidInput("status", "the texts of the notifications are erased", "notifications with a text")
        channels = {channel.name: channel for channel in self.channels}
        now = self.clock()
        changed = []
        for it in found:
            if (channel := channels.get(it.channel)) is None:
                raise InvalidInput("channel", f"no channel {it.channel} is configured", ", ".join(channels))
            address = channel.address(it.recipient, await self.contacts.get(it.recipient))
            if address is None:
                raise InvalidInput("recipient", f"{it.recipient} has no contact", "set one, or drop the notification")
            pending = NotificationStatus.PENDING
            changed.append(evolve(it, status=pending, address=address, attempts=0, due_at=now, sent_at=None, detail=""))
        return await self._keep(MaintenanceKind.RESEND, changed, by, reason)

    async def drop(self, selection: Selection, *, by: str, reason: str) -> Sequence[Notification]:
        """Never send the selected notifications; return them."""
        found = await self._selected(selection, {NotificationStatus.PENDING, NotificationStatus.FAILED})
        changed = [evolve(it, status=NotificationStatus.DROPPED) for it in found]
        return await self._keep(MaintenanceKind.DROP, changed, by, reason)

    async def _selected(self, selection: Selection, allowed: set[NotificationStatus]) -> list[Notification]:
        of_order = await self.notifications.of_orders([selection.order_id])
        if not of_order:
            raise NotFound("notification of order", selection.order_id)
        if not (found := [it for it in of_order if selection.selects(it)]):
            there = ", ".join(
                sorted({f"{it.sequence} to {it.recipient} by {it.channel}" for it in of_order})[:MAX_NAMED]
            )
            raise InvalidInput("notification", f"order {selection.order_id} has none that is selected", there)
        if not (may := [it for it in found if it.status in allowed]):
            there = ", ".join(sorted({it.status for it in found}))
            raise InvalidInput("status", f"the notifications are {there}", ", ".join(sorted(allowed)))
        return may

    async def _keep(
        self, kind: MaintenanceKind, changed: Sequence[Notification], by: str, reason: str
    ) -> Sequence[Notification]:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        await self.notifications.replace(changed)
        detail = f"{kind} of {counted(len(changed), 'notification')} of order {changed[0].order_id}"
        entry = MaintenanceEntry(kind=kind, note=note, consumer="notifications", detail=detail)
        await self.maintenance_log.record(entry)
        for it in changed:
            logger.warning("notification changed by an operator", extra={**log_fields(it), "change": kind})
        return changed


def log_fields(notification: Notification) -> dict[str, object]:
    """Return what identifies ``notification`` in a log line; the address is none of it."""
    return {
        "order_id": notification.order_id,
        "sequence": notification.sequence,
        "to": notification.recipient,
        "channel": notification.channel,
        "attempts": notification.attempts,
    }
