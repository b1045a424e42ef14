"""The clients that place orders: over HTTP with short time-outs, and embedded in another application."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Protocol

from attrs import define, field, frozen
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.use_cases import UseCases
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import OrderFlowError, Unavailable
from orderflow.domain.events import OrderLine
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.validation import Address
from orderflow.entrypoints.embedded import OrderFlow

PATIENCE = 20.0
"""Seconds that a client waits for an answer; then it does not know what came of its request."""
SHOP = Actor(Role.ADMIN, "shop")
"""The actor of requests through the embedded API."""
CURRENCY = "USD"


class RequestUnanswered(Exception):
    """The connection broke, or no answer came in time: what was asked may have been done."""


@frozen
class Step:
    """One request of an order's life; ``events`` is the least number that it causes. One kind of client sends it."""

    name: str
    order_id: str
    method: str
    path: str
    body: bytes
    events: int
    by_http: bool


@frozen
class ClientResponse:
    """An answer, by the status that it has over HTTP."""

    status: int
    body: bytes


class Client(Protocol):
    async def ask(self, step: Step, key: str) -> ClientResponse:
        """Raises RequestUnanswered."""

    def close(self) -> None: ...


@define(eq=False)
class HttpClient:
    """One kept connection to the API at ``port``, and no library's time between; made when it is needed."""

    port: int
    token: str
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, init=False)

    async def ask(self, step: Step, key: str) -> ClientResponse:
        head = (
            f"{step.method} {step.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(step.body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(head.encode() + step.body)
                return await self._answer(reader)
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.close()
            raise RequestUnanswered(f"{step.method} {step.path}: {error!r}") from error

    async def _answer(self, reader: asyncio.StreamReader) -> ClientResponse:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, after = head.partition(b"content-length:")
        body = await reader.readexactly(int(after.partition(b"\r\n")[0] or 0))
        if b"connection: close" in head:
            self.close()
        return ClientResponse(int(head[9:12]), body)

    def close(self) -> None:
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].close()
            self._streams = None


@frozen
class EmbeddedClient:
    """The use-cases of an application that has orderflow in itself, asked for the same."""

    flow: OrderFlow

    async def ask(self, step: Step, key: str) -> ClientResponse:
        use_cases = self.flow.use_cases
        asked = IdempotencyKey(caller=str(SHOP), key=key, fingerprint=step.path, render=_answer)
        try:
            body, _ = await use_cases.idempotent(asked, lambda key: _COMMANDS[step.name](use_cases, step, key))
        except OrderFlowError as error:
            return ClientResponse(
                503 if isinstance(error, Unavailable) else 409, json.dumps({"code": error.code}).encode()
            )
        return ClientResponse(200, body)

    def close(self) -> None:
        """The flow is its owner's."""


def _answer(order: Order) -> bytes:
    return json.dumps({"orderId": order.id, "version": order.version}).encode()


def _place(use_cases: UseCases, step: Step, key: IdempotencyKey) -> Awaitable[Order]:
    asked = json.loads(step.body, parse_float=Decimal)
    lines = [
        OrderLine(
            food_id=line["foodId"],
            food_name=line["foodName"],
            price=Money(line["price"], CURRENCY),
            quantity=line["quantity"],
            discount=Money.zero(CURRENCY),
        )
        for line in asked["orderDetails"]
    ]
    new = NewOrder(
        order_id=step.order_id,
        customer_id=asked["userId"],
        restaurant_id=asked["restaurantId"],
        lines=lines,
        currency=CURRENCY,
        payment_method=PaymentMethod.parse(asked["paymentMethod"]),
        card_token=asked.get("cardToken"),
        address=Address(**asked["address"]),
    )
    return use_cases.create_order(new, by=SHOP, idempotency=key)


def _assign(use_cases: UseCases, step: Step, key: IdempotencyKey) -> Awaitable[Order]:
    return use_cases.assign_shipper(step.order_id, json.loads(step.body)["shipperId"], by=SHOP, idempotency=key)


def _pay(use_cases: UseCases, step: Step, key: IdempotencyKey) -> Awaitable[Order]:
    return use_cases.record_payment(step.order_id, by=SHOP, idempotency=key)


def _move(use_cases: UseCases, step: Step, key: IdempotencyKey) -> Awaitable[Order]:
    state = OrderState.parse(json.loads(step.body)["state"])
    return use_cases.transition_order_state(step.order_id, state, by=SHOP, idempotency=key)


def _call_off(use_cases: UseCases, step: Step, key: IdempotencyKey) -> Awaitable[Order]:
    return use_cases.cancel_order(step.order_id, json.loads(step.body)["reason"], by=SHOP, idempotency=key)


_COMMANDS: Mapping[str, Callable[[UseCases, Step, IdempotencyKey], Awaitable[Order]]] = {
    "place": _place,
    "assign": _assign,
    "pay": _pay,
    "go": _move,
    "arrive": _move,
    "call off": _call_off,
}
