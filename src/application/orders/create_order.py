"""Creating an order."""

from collections.abc import Sequence

from attrs import field, frozen

from ...domain.actor import Actor, check_actor
from ...domain.annotations import Annotations
from ...domain.consent import RestaurantOrders
from ...domain.errors import OrderExists, OrderNotFound, PricesRefused
from ...domain.events import OrderLine
from ...domain.money import Money
from ...domain.order import Change, Order
from ...domain.payment import PaymentMethod
from ...domain.validation import Address
from ..clock import Clock, NewId
from .idempotency import IdempotencyKey
from .ports import Transaction, UnitOfWork
from .price_authority import PriceAuthority, TrustPrices
from .retry import retry_on_conflict


@frozen(kw_only=True)
class NewOrder:
    """The content of a new order. ``total`` is optional; the amount by which it exceeds the lines is the delivery fee.

    ``order_id`` may be the caller's own: creating an order again with the same id and content returns the same order.
    """

    customer_id: str
    restaurant_id: str
    lines: Sequence[OrderLine]
    payment_method: PaymentMethod
    currency: str
    total: Money | None = None
    card_token: str | None = None
    address: Address | None = None
    annotations: Annotations | None = None
    order_id: str | None = None


@frozen
class CreateOrder:
    """Creates an order, if the price authority agrees to its prices. It is not asked about an order that exists.

    Raises InvalidInput, NotPermitted, PricesRefused, OrderExists (same id, other content), StorageUnavailable. A caller
    that has no part in the order of that id learns only that the id is taken.
    """

    unit_of_work: UnitOfWork
    clock: Clock
    new_id: NewId
    restaurants: RestaurantOrders = RestaurantOrders.NONE
    prices: PriceAuthority = field(factory=TrustPrices)

    async def __call__(self, new: NewOrder, *, by: Actor, idempotency: IdempotencyKey | None = None) -> Order:
        check_actor(by)
        change = self._place(new, by)

        async def attempt() -> Order:
            async with self.unit_of_work(idempotency=idempotency) as work:
                existing = await _find(work, change.order.id) if new.order_id is not None else None
                if existing is None:
                    existing = await self._check_prices(work, change.order, by, again=new.order_id is not None)
                if existing is not None:
                    if differs := existing.differences(change.order):
                        raise OrderExists(existing.id, differs if existing.visible_to(by) else ())
                    work.orders.save(existing)
                    return existing
                work.orders.save(change.order)
                work.events.publish(*change.events)
            return change.order

        return await retry_on_conflict(attempt)

    async def _check_prices(self, work: Transaction, order: Order, by: Actor, *, again: bool) -> Order | None:
        """Ask the price authority. If it refuses, look ``again`` for the order, which may be there by now."""
        try:
            await self.prices.check(order, by=by)
        except PricesRefused:
            if again and (existing := await _find(work, order.id)) is not None:
                return existing
            raise
        return None

    def _place(self, new: NewOrder, by: Actor) -> Change:
        change = Order.place(
            id=self.new_id() if new.order_id is None else new.order_id,
            customer_id=new.customer_id,
            restaurant_id=new.restaurant_id,
            lines=new.lines,
            payment_method=new.payment_method,
            card_token=new.card_token,
            total=new.total,
            currency=new.currency,
            address=new.address,
            annotations=new.annotations,
            by=by,
            at=self.clock(),
        )
        change.order.check_may_be_placed(by=by, restaurants=self.restaurants)
        return change


async def _find(work: Transaction, order_id: str) -> Order | None:
    try:
        return await work.orders.get(order_id)
    except OrderNotFound:
        return None
