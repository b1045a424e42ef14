"""Personal data in memory."""

from collections.abc import Collection
from datetime import datetime

from attrs import define, evolve, field

from ...application.customers.ports import ERASED_AT_ONCE, ErasedOrders, Kind
from ...application.event_log.records import Positions
from ...application.notifications.notification import ERASED, Notification, NotificationStatus
from ...domain.actor import Actor, Role
from ...domain.order import Order
from ..stored_responses import without_address
from .consumer_store import MemoryConsumerStores
from .notifications import notification_entry_key
from .storage import MemoryStorage


@define(eq=False)
class MemoryPersonalData:
    storage: MemoryStorage
    effects: MemoryConsumerStores
    _progress: dict[Kind, Positions] = field(factory=dict, init=False)

    async def open_orders(self, customer_id: str) -> int:
        return sum(not order.state.terminal for order in self._orders_of(customer_id))

    async def erase_orders(self, customer_id: str, *, after: str) -> ErasedOrders:
        final = sorted(o.id for o in self._orders_of(customer_id) if o.state.terminal and o.id > after)
        ids = final[:ERASED_AT_ONCE]
        party = str(Actor(Role.CUSTOMER, customer_id))
        own = [it for it in await self.effects.notifications.of_orders(ids) if it.recipient == party]
        return ErasedOrders(
            orders=await self.forget_addresses(ids),
            notifications=self._blank(own),
            responses=self._erase_responses(ids),
            last=ids[-1] if len(ids) == ERASED_AT_ONCE else None,
        )

    async def erase_account(self, customer_id: str, *, at: datetime) -> None:
        customer = Actor(Role.CUSTOMER, customer_id)
        self.effects._contacts.pop(str(customer), None)
        for digest, token in self.storage.tokens.tokens.items():
            if token.actor == customer:
                self.storage.tokens.tokens[digest] = evolve(token, revoked_at=token.revoked_at or at, label="")
        for digest in [it for it, session in self.storage.sessions.sessions.items() if session.grant.actor == customer]:
            del self.storage.sessions.sessions[digest]
        tickets = self.storage.stream_tickets.tickets
        for digest in [it for it, (_, held) in tickets.items() if held.grant.actor == customer]:
            del tickets[digest]

    async def forget_addresses(self, order_ids: Collection[str]) -> int:
        held = [self.storage._orders[it] for it in order_ids if it in self.storage._orders]
        erased = [o for o in held if o.state.terminal and (o.address or o.annotations or o.payment.card_token)]
        for order in erased:
            payment = evolve(order.payment, card_token=None)
            self.storage._orders[order.id] = evolve(order, address=None, annotations=None, payment=payment)
        return len(erased)

    async def forget_notifications(self, events: Collection[tuple[str, int]]) -> int:
        found = await self.effects.notifications.of_orders({order_id for order_id, _ in events})
        return self._blank([it for it in found if (it.order_id, it.sequence) in events])

    async def delete_unrecognized(self, before: datetime) -> int:
        records = self.effects._unrecognized
        old = [key for key, record in records.items() if record.found_at < before][:ERASED_AT_ONCE]
        for key in old:
            del records[key]
        return len(old)

    async def progress(self, kind: Kind) -> Positions:
        return self._progress.get(kind, {})

    async def keep_progress(self, kind: Kind, positions: Positions) -> None:
        self._progress[kind] = dict(positions)

    def _orders_of(self, customer_id: str) -> list[Order]:
        return [order for order in self.storage._orders.values() if order.customer_id == customer_id]

    def _blank(self, notifications: list[Notification]) -> int:
        changed = [it for it in notifications if it.detail != ERASED]
        for it in changed:
            status = it.status if it.status is NotificationStatus.SENT else NotificationStatus.DROPPED
            blank = evolve(it, address="", subject="", text="", detail=ERASED, status=status)
            self.effects._notifications[it.order_id] = {
                **self.effects._notifications[it.order_id],
                notification_entry_key(it): blank,
            }
            self.effects._pending.pop((it.order_id, notification_entry_key(it)), None)
        return len(changed)

    def _erase_responses(self, order_ids: Collection[str]) -> int:
        changed = 0
        for key, (response, at) in self.storage.answers.responses.items():
            if response.order_id in order_ids:
                body = without_address(response.body)
                changed += body != response.body
                self.storage.answers.responses[key] = evolve(response, body=body), at
        return changed
