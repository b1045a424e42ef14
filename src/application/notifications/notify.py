"""The consumer *notifications*, which notifies the parties of an order, once through each of their channels."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen

from ...domain.actor import Role
from ...domain.errors import ChannelUnavailable, CorruptHistory
from ...domain.events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from ...domain.payment import PaymentMethod, PaymentStatus
from ...domain.refund import RefundStep
from ..backoff import doubled
from ..clock import Clock
from ..contained import contained
from ..event_log.records import Delivery
from ..orders.payment_attempts import AttemptKind, AttemptStatus
from ..orders.ports import PaymentAttempts
from ..redaction import error_text
from ..request_context import answering, caused_by
from .message_values import values_of, values_of_refund
from .notification import (
    ATTEMPTS,
    NO_CHANNEL,
    REFUND,
    Contact,
    Message,
    MessageText,
    Notification,
    NotificationStatus,
    Parties,
    Receipt,
)
from .ports import MessageTemplates, Notifications, NotificationTransaction, Notifier
from .undelivered import log_fields

_C, _R, _S = Role.CUSTOMER, Role.RESTAURANT, Role.SHIPPER
RECIPIENTS: Mapping[type[OrderEvent], tuple[Role, ...]] = {
    OrderCreated: (_C, _R),
    StateChanged: (_C, _R, _S),
    ShipperAssigned: (_C, _R, _S),
    OrderCancelled: (_C, _R, _S),
    OrderDelivered: (_C, _R),
}
"""The roles that are notified of each event that is no payment."""

REFUND_MESSAGES: Mapping[RefundStep, str] = {
    RefundStep.SUCCEEDED: "refund.succeeded",
    RefundStep.DECLINED: "refund.declined",
    RefundStep.FAILED: "refund.failed",
    RefundStep.SETTLED: "refund.settled",
    RefundStep.HANDED_BACK: "refund.settled",
}
"""The messages about refunds; a refund that is only requested has none."""

SENT_AT_ONCE = 500
SEND_SECONDS = 120.0
"""The time that a channel has for one message; less than half of LEASE."""
LEASE = timedelta(minutes=5)
"""The time for which a process owns the notifications that it claimed. After a crash others send them, same key."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
"""At most LEASE: a notification that seems to be due much later was stored by a wrong clock, and is claimed."""
logger = logging.getLogger("orderflow.notify")


@frozen
class Notify:
    """Records notifications in the transaction of their event: one pending for each channel that has an address.

    If no channel has one, a single notification is recorded as unreachable. ``settle`` sends what is pending, with a
    key that is always the same for one event and recipient. If a channel does not answer, it is retried with back-off.
    After ``at_most`` failed attempts it has failed for good. What is to be said about a refund waits until the gateway
    has answered it. When ``stopping`` returns true, the rest is left to the next process. ``now`` is the time by which
    notifications are due and claimed, in all processes; without, it is that of ``clock``.
    """

    channels: Sequence[Notifier]
    templates: MessageTemplates
    outbox: Notifications
    clock: Clock
    name: str = "notifications"
    stopping: Callable[[], bool] = lambda: False
    at_most: int = ATTEMPTS
    payments: PaymentAttempts | None = None
    now: Callable[[], Awaitable[datetime]] | None = None
    _by_name: dict[str, Notifier] = field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {channel.name: channel for channel in self.channels})

    async def handle(self, deliveries: Sequence[Delivery], work: NotificationTransaction) -> None:
        """Record the notifications of these events. Raises CorruptHistory if an order's first event is missing."""
        known = await work.notifications.parties({delivery.record.order_id for delivery in deliveries})
        after = dict(known)
        affected: list[tuple[Delivery, Parties, Sequence[tuple[Role, str]]]] = []
        for delivery in deliveries:
            event = delivery.event
            before = after.get(event.order_id)
            if before is not None and event.sequence <= before.sequence:
                continue
            after[event.order_id] = parties = follow_parties(before, event)
            affected.append((delivery, parties, recipients(event, parties)))
        contacts = await work.notifications.contacts({party for *_, to in affected for _, party in to})
        due_at = await self._now() if affected else self.clock()
        await work.notifications.record([n for it in affected for n in self._notifications(*it, contacts, due_at)])
        await work.notifications.keep_parties([p for order_id, p in after.items() if p is not known.get(order_id)])

    async def settle(self) -> int:
        """Send the notifications that are due, and return how many were settled."""
        began = await self._now()
        claimed = await self.outbox.claim(self._by_name.keys(), now=began, until=began + LEASE, limit=SENT_AT_ONCE)
        ended: list[Notification] = []
        down: dict[str, str] = {}
        try:
            for notification in claimed:
                if self.stopping() or await self._now() - began > LEASE / 2:
                    break  # the next claim gets the rest
                ended.append(await self._send(notification, down))
        finally:
            await self.outbox.keep([*ended, *claimed[len(ended) :]])
        return sum(notification.status is not NotificationStatus.PENDING for notification in ended)

    async def _now(self) -> datetime:
        return self.clock() if self.now is None else await self.now()

    async def _send(self, notification: Notification, down: dict[str, str]) -> Notification:
        """Send one, and return it with its result. If its channel is ``down``, it is postponed without an attempt."""
        channel = notification.channel
        try:
            if notification.awaits == REFUND:
                notification = await self._with_answer(notification)
                if notification.awaits:
                    return notification
            if channel in down:
                return evolve(notification, due_at=await self._now() + FIRST_PAUSE, detail=down[channel])
            with answering(caused_by(notification.correlation_id, notification.traceparent)):
                receipt = await _sent(self._by_name[channel], notification.message)
        except Exception as failure:  # noqa: BLE001 - one failure must not stop the others
            if isinstance(failure, ChannelUnavailable):
                down[channel] = error_text(failure)
            problem = down.get(channel) or f"{type(failure).__name__}: {error_text(failure)}"
            due_at = await self._now() + doubled(FIRST_PAUSE, LONGEST_PAUSE, notification.attempts)
            return _logged(notification.postponed(due_at, problem, at_most=self.at_most))
        return _logged(notification.settled(receipt, self.clock()))

    async def _with_answer(self, notification: Notification) -> Notification:
        """Return it with the text for the answer to its refund; without an answer, due again later."""
        attempts = await self.payments.of_order(notification.order_id) if self.payments is not None else ()
        refund = next((a for a in reversed(attempts) if a.kind is AttemptKind.REFUND), None)
        if refund is None:
            return evolve(notification, awaits="")
        if refund.status is AttemptStatus.REQUESTED:
            now = await self._now()
            pause = max(FIRST_PAUSE, min(LONGEST_PAUSE, now - notification.recorded_at))
            return evolve(notification, due_at=now + pause, detail="the refund is not answered yet")
        answer = "refund.declined" if refund.status is AttemptStatus.DECLINED else "refund.succeeded"
        return notification.answered(self._message(Role.CUSTOMER, values_of_refund(refund), answer))

    def _message(self, role: Role, values: Mapping[str, str], event_type: str) -> MessageText:
        """Return the message of the templates, which may be the application's own."""
        with contained("the message templates"):
            return self.templates(role, values, event_type=event_type)

    def _notifications(
        self,
        delivery: Delivery,
        parties: Parties,
        to: Sequence[tuple[Role, str]],
        contacts: Mapping[str, Contact],
        due_at: datetime,
    ) -> Iterator[Notification]:
        event, recorded_at, values = delivery.event, self.clock(), values_of(delivery.event, parties)

        def notification(party: str, channel: str, **rest: Any) -> Notification:
            return Notification(
                order_id=event.order_id,
                sequence=event.sequence,
                recipient=party,
                channel=channel,
                event_type=event.type,
                recorded_at=recorded_at,
                due_at=due_at,
                correlation_id=delivery.record.correlation_id,
                traceparent=delivery.record.traceparent,
                **rest,
            )

        awaits = REFUND if _refunds_a_card(event) and self.payments is not None else ""
        for role, party in to:
            addresses = {name: it.address(party, contacts.get(party)) for name, it in self._by_name.items()}
            reached = {name: address for name, address in addresses.items() if address is not None}
            if not reached:
                yield notification(party, NO_CHANNEL, status=NotificationStatus.UNREACHABLE, detail="no contact")
                continue
            message = self._message(role, values, message_type(event))
            for name, address in reached.items():
                yield notification(
                    party, name, address=address, subject=message.subject, text=message.text, awaits=awaits
                )


def recipients(event: OrderEvent, parties: Parties) -> tuple[tuple[Role, str], ...]:
    """Return the recipients of ``event``: the roles to notify, with their party, if they have one."""
    parts = ((role, parties.party(role)) for role in notified_roles(event))
    return tuple((role, party) for role, party in parts if party is not None)


def follow_parties(parties: Parties | None, event: OrderEvent) -> Parties:
    """Return the parties after ``event``. Raises CorruptHistory if the order's first event is missing."""
    if parties is None:
        if not isinstance(event, OrderCreated):
            raise CorruptHistory(event.order_id, event.sequence, "no order.created came before it")
        return Parties(
            order_id=event.order_id,
            customer_id=event.customer_id,
            restaurant_id=event.restaurant_id,
            sequence=event.sequence,
        )
    shipper_id = parties.shipper_id
    if isinstance(event, ShipperAssigned | OrderCancelled) and event.shipper_id is not None:
        shipper_id = event.shipper_id
    return evolve(parties, sequence=event.sequence, shipper_id=shipper_id)


def message_type(event: OrderEvent) -> str:
    """Return the type of the message about ``event``, which names its template."""
    refund = event.refund if isinstance(event, PaymentProcessed) else None
    return event.type if refund is None else REFUND_MESSAGES[refund]


def notified_roles(event: OrderEvent) -> tuple[Role, ...]:
    """Return the roles that are notified of ``event``: the shipper only if one is, or was, assigned.

    Of a refund only the customer is notified, once it has an outcome.
    """
    if not isinstance(event, PaymentProcessed):
        return RECIPIENTS[type(event)]
    if event.refund is not None:
        return (_C,) if event.refund in REFUND_MESSAGES else ()
    return (_C, _R, _S) if event.status is PaymentStatus.PAID else (_C,)


def _refunds_a_card(event: OrderEvent) -> bool:
    """Return whether a release that recorded refunds when they were requested has recorded one of a card."""
    return (
        isinstance(event, PaymentProcessed)
        and event.status is PaymentStatus.REFUNDED
        and event.refund is None
        and event.method is not PaymentMethod.CASH
    )


async def _sent(channel: Notifier, message: Message) -> Receipt:
    """Return the channel's answer, which is bounded in time and checked: the channel may be the application's own."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            with contained(f"channel {channel.name}"):
                receipt: object = await channel.send(message)
    except TimeoutError:
        raise ChannelUnavailable(channel.name, f"no answer within {SEND_SECONDS:g} s") from None
    if not isinstance(receipt, Receipt):
        raise TypeError(f"channel {channel.name} returned {type(receipt).__name__} and no Receipt")
    return receipt


def _logged(notification: Notification) -> Notification:
    """Log a notification that was not sent, and return it."""
    if notification.status is NotificationStatus.FAILED:
        logger.error("notification failed", extra={**log_fields(notification), "detail": notification.detail})
    elif notification.status is NotificationStatus.PENDING:
        logger.warning("notification waits", extra={**log_fields(notification), "detail": notification.detail})
    return notification
