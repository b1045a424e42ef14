"""A client that takes a few orders through their lives repeating each request, by its key, until it is acknowledged."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal

from attrs import define, field, frozen
from orderflow.adapters.payment_gateway.sandbox import CONFIRM_NEVER, SUCCESS
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.use_cases import UseCases
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import CommandRefused, ConfirmationNeeded, Unavailable
from orderflow.domain.events import OrderLine
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.refund import RefundBearer

from .installation import Installation, Process

ADMIN = Actor(Role.ADMIN, "boss")
SHIPPER = "S1"
"""The shipper of the orders, and the only recipient of mail."""
SOLD_OUT = "sold-out"
"""A food that inventory counts, and of which nothing is left."""


@frozen
class AcknowledgedRequest:
    """A response that the client got: the order as it was then."""

    order_id: str
    version: int
    body: bytes


@frozen
class Request:
    """``what`` is asked for; ``creates`` says that a new order comes of it."""

    what: str
    command: Callable[["Client", UseCases, IdempotencyKey], Awaitable[Order]]
    creates: bool = False


ORDERS = 4
"""Orders of each client."""


@define
class Client:
    """``acknowledged`` is by what was asked. What it got no answer to it asks again, with the same key."""

    name: str
    acknowledged: dict[str, AcknowledgedRequest] = field(factory=dict, init=False)

    @property
    def requests(self) -> Sequence[Request]:
        """A card order that is delivered and refunded in part, one that is sold out, and one that is called off."""
        return (
            Request("card", lambda me, ask, key: me._place(ask, key, PaymentMethod.CREDIT_CARD), creates=True),
            Request("pay", lambda me, ask, key: ask.record_payment(me._id("card"), by=ADMIN, idempotency=key)),
            Request("short", lambda me, ask, key: me._place(ask, key, PaymentMethod.CASH, SOLD_OUT), creates=True),
            Request(
                "assign", lambda me, ask, key: ask.assign_shipper(me._id("card"), SHIPPER, by=ADMIN, idempotency=key)
            ),
            Request("go", lambda me, ask, key: me._move(ask, key, OrderState.ON_THE_WAY)),
            Request("refund", lambda me, ask, key: me._place(ask, key, PaymentMethod.DEBIT_CARD), creates=True),
            Request("pay-2", lambda me, ask, key: ask.record_payment(me._id("refund"), by=ADMIN, idempotency=key)),
            Request("done", lambda me, ask, key: me._move(ask, key, OrderState.DELIVERED)),
            Request(
                "unsure",
                lambda me, ask, key: me._place(ask, key, PaymentMethod.CREDIT_CARD, token=CONFIRM_NEVER),
                creates=True,
            ),
            Request("off-2", lambda me, ask, key: me._call_off_unconfirmed(ask, key)),
            Request("back", lambda me, ask, key: me._refund(ask, key)),
            Request(
                "off", lambda me, ask, key: ask.cancel_order(me._id("refund"), "changed", by=ADMIN, idempotency=key)
            ),
        )

    async def ask(self, process: Process) -> None:
        """Everything that is not acknowledged yet."""
        for request in self.requests:
            while request.what not in self.acknowledged:
                process.crash_points.enter(request.what)
                try:
                    await self._ask(request, process)
                except Unavailable:
                    continue  # whether it was done is not known, so the same again

    async def _ask(self, request: Request, process: Process) -> None:
        process.installation.clock.forward(seconds=1)
        key = self.key(request, process.installation)
        body, _ = await process.ask.idempotent(key, lambda key: request.command(self, process.ask, key))
        said = json.loads(body)
        self.acknowledged[request.what] = AcknowledgedRequest(said["id"], said["version"], body)

    def key(self, request: Request, installation: Installation) -> IdempotencyKey:
        """The same however often it is asked."""
        name = f"{self.name}-{request.what}"
        return IdempotencyKey(caller=str(ADMIN), key=name, fingerprint=name, render=_answer)

    def _id(self, which: str) -> str:
        return self.acknowledged[which].order_id

    async def _place(
        self,
        ask: UseCases,
        key: IdempotencyKey,
        method: PaymentMethod,
        food_id: str = "F1",
        token: str = SUCCESS,
    ) -> Order:
        """Without an id of its own: only the key shows whether it was placed."""
        price = Money(Decimal("12.50"), "EUR")
        line = OrderLine(food_id=food_id, food_name="Pho", price=price, quantity=2, discount=Money.zero("EUR"))
        new = NewOrder(
            customer_id=f"C-{self.name}",
            restaurant_id="R1",
            lines=[line],
            payment_method=method,
            card_token=None if method is PaymentMethod.CASH else token,
            currency="EUR",
        )
        return await ask.create_order(new, by=ADMIN, idempotency=key)

    async def _call_off_unconfirmed(self, ask: UseCases, key: IdempotencyKey) -> Order:
        """The authorization that waits for the customer is voided."""
        with suppress(ConfirmationNeeded, CommandRefused):
            await ask.record_payment(self._id("unsure"), by=ADMIN)
        return await ask.cancel_order(self._id("unsure"), "too late", by=ADMIN, idempotency=key)

    async def _refund(self, ask: UseCases, key: IdempotencyKey) -> Order:
        return await ask.refund_order(
            self._id("card"), "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, amount=Decimal(5), idempotency=key
        )

    async def _move(self, ask: UseCases, key: IdempotencyKey, state: OrderState) -> Order:
        return await ask.transition_order_state(self._id("card"), state, by=ADMIN, idempotency=key)


def _answer(order: Order) -> bytes:
    return json.dumps({"id": order.id, "version": order.version}).encode()
