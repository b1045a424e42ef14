"""Orders that live through the real use-cases on the memory adapter, for tests that need a log of events."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from attrs import define, field

from ...adapters.memory import MemoryStorage
from ...adapters.payment_gateway import SandboxGateway
from ...application.event_log.records import LogRecord
from ...application.orders.assign_shipper import AssignShipper
from ...application.orders.cancel_order import CancelOrder
from ...application.orders.change_order import ChangeOrder
from ...application.orders.create_order import CreateOrder, NewOrder
from ...application.orders.group_commit import GroupCommit
from ...application.orders.settle_payments import SettlePayments
from ...application.orders.unit_of_work import WriteSetUnitOfWork
from ...domain.actor import Actor, Role
from ...domain.events import OrderLine
from ...domain.lifecycle import OrderState
from ...domain.money import Money
from ...domain.order import Order
from ...domain.payment import PaymentMethod
from ..clock import ManualClock as HandClock

ADMIN = Actor(Role.ADMIN, "boss")


@define
class Shop:
    """One installation on memory. Every command happens one second after the one before, on ``clock``."""

    clock: HandClock = field(factory=HandClock)
    storage: MemoryStorage = field(factory=MemoryStorage)

    @property
    def change(self) -> ChangeOrder:
        return ChangeOrder(
            WriteSetUnitOfWork(committer=GroupCommit(self.storage.committer), read=self.storage.views.get)
        )

    @property
    def cancel(self) -> CancelOrder:
        work = self.change.unit_of_work
        return CancelOrder(
            self.change,
            SettlePayments(self.change, self.storage.attempts, SandboxGateway(), work, self.clock, self.clock),
            self.clock,
        )

    async def order(
        self,
        order_id: str,
        foods: Mapping[str, int] | None = None,
        *,
        restaurant_id: str = "R1",
        customer_id: str = "C1",
        price: str = "10.00",
        currency: str = "EUR",
    ) -> Order:
        """Place one in cash; ``foods`` are quantities by food."""
        lines = [
            OrderLine(
                food_id=food_id,
                food_name=f"Dish {food_id}",
                price=Money(Decimal(price), currency),
                quantity=quantity,
                discount=Money.zero(currency),
            )
            for food_id, quantity in (foods or {"F1": 1}).items()
        ]
        self.clock.forward(seconds=1)
        create = CreateOrder(self.change.unit_of_work, self.clock, lambda: order_id)
        new = NewOrder(
            customer_id=customer_id,
            restaurant_id=restaurant_id,
            lines=lines,
            payment_method=PaymentMethod.CASH,
            currency=currency,
            order_id=order_id,
        )
        return await create(new, by=ADMIN)

    async def assign(self, order_id: str, shipper_id: str = "S1") -> Order:
        self.clock.forward(seconds=1)
        return await AssignShipper(self.change, self.clock)(order_id, shipper_id, by=ADMIN)

    async def move(self, order_id: str, state: OrderState) -> Order:
        self.clock.forward(seconds=1)
        change = await self.change(
            order_id, lambda order: order.transition_to(state, by=ADMIN, at=self.clock()), by=ADMIN
        )
        return change.order

    async def call_off(self, order_id: str, reason: str = "changed my mind") -> Order:
        self.clock.forward(seconds=1)
        return await self.cancel(order_id, reason, by=ADMIN)

    async def live(self, order_id: str, **order: Any) -> None:
        """Let an order have a whole life: ordered, assigned, sent out, delivered and paid in cash. Seven events."""
        await self.order(order_id, **order)
        await self.assign(order_id)
        await self.move(order_id, OrderState.ON_THE_WAY)
        await self.move(order_id, OrderState.DELIVERED)

    async def records(self) -> Sequence[LogRecord]:
        """Return the whole log in the order in which it came about."""
        heads = await self.storage.log.heads()
        records = await self.storage.log.read(dict.fromkeys(heads, 0), limit=100_000)
        return sorted(records, key=lambda record: (record.occurred_at, record.order_id, record.sequence))

    async def records_of(self, *order_ids: str) -> Sequence[LogRecord]:
        return [record for record in await self.records() if record.order_id in order_ids]


async def lives(*order_ids: str) -> tuple[Shop, Sequence[LogRecord]]:
    """Return a shop of whole lives, and their events, seven of each order, one order's among the others'."""
    shop = Shop()
    for order_id in order_ids:
        await shop.live(order_id)
    return shop, sorted(await shop.records(), key=lambda record: (record.sequence, record.order_id))
