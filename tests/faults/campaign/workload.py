"""The workload: orders are moved on step by step, each step repeated under its idempotency key until it is answered."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import md5
from random import Random

from attrs import define, field, frozen
from msgspec import Struct
from msgspec.json import decode
from orderflow.entrypoints.embedded import OrderFlow

from .clients import Client, ClientResponse, EmbeddedClient, HttpClient, RequestUnanswered, Step

CALLERS = 16
"""Over HTTP."""
INSIDE = 96
"""Callers inside of another application."""
BY_HTTP = 12
"""Every so many-th order comes over HTTP, the others from inside."""
ASK_AGAIN = frozenset(
    {
        "concurrent_change",
        "request_running",
        "storage_unavailable",
        "storage_busy",
        "gateway_unavailable",
        "too_many_requests",
        "http_503",
    }
)
"""Refusals by which the API says that asking again is right."""
SOLD_OUT = "sold-out"
POISON_EACH = 17
"""Orders with a poison event for each consumer: 51 in all."""
STREET, CARD, MAIL = "Planted Lane", "tok_planted", "planted"
"""Secrets that must appear nowhere: in the address, as a card token, and in the contacts' addresses."""


@frozen
class Order:
    """It begins when that part of the time, from 0 to 1, is ``due``."""

    id: str
    steps: Sequence[Step]
    due: float


class _Answer(Struct, rename="camel"):
    order_id: str = ""
    version: int = 0
    code: str = ""


@frozen
class AcknowledgedRequest:
    """A response that a caller got: the order's version then, and the digest of the bytes."""

    order_id: str
    version: int
    digest: str
    creates: bool


@frozen
class Plan:
    """``many`` orders, the same for the same seed."""

    seed: int
    many: int

    def orders(self) -> Iterator[Order]:
        chance = Random(f"orders {self.seed}")
        poison = [
            f"poison-{consumer}-{n}"
            for n in range(POISON_EACH)
            for consumer in ("notifications", "analytics", "inventory")
        ]
        at = dict(zip(sorted(chance.sample(range(self.many), len(poison))), poison, strict=True))
        for number in range(self.many):
            if number in at:
                yield self._order(at[number], number, "called off")
            else:
                [life] = chance.choices(list(LIVES), [it.often for it in LIVES.values()])
                yield self._order(f"o-{number}", number, life)

    def _order(self, order_id: str, number: int, life: str) -> Order:
        by_http = number % BY_HTTP == 0
        steps = [step.of(order_id, number, by_http=by_http) for step in LIVES[life].steps]
        return Order(order_id, steps, due=number / self.many)


@frozen
class _Asks:
    name: str
    method: str
    path: str
    body: Mapping[str, object]
    events: int

    def of(self, order_id: str, number: int, *, by_http: bool) -> Step:
        body = dict(self.body)
        if self.name == "place":
            body |= {"orderId": order_id, "userId": f"C{number % 997}", "restaurantId": f"R{number % 31}"}
            body["address"] = {"street": f"{STREET} {number}", "city": "Springfield"}
            if body["paymentMethod"] == "credit_card":
                body["cardToken"] = f"{CARD}_{number}"
        path = self.path.format(order_id)
        return Step(self.name, order_id, self.method, path, json.dumps(body).encode(), self.events, by_http)


@frozen
class _Life:
    often: float
    steps: Sequence[_Asks]


def _place(method: str = "cash", food: str = "F1") -> _Asks:
    line = {"foodId": food, "foodName": "Pho", "price": 12.50, "quantity": 2}
    return _Asks("place", "POST", "/v1/orders", {"orderDetails": [line], "paymentMethod": method}, 1)


_ASSIGN = _Asks("assign", "PUT", "/v1/orders/{}/shipper", {"shipperId": "S1"}, 2)
_PAY = _Asks("pay", "POST", "/v1/orders/{}/payment", {}, 1)
_GO = _Asks("go", "PATCH", "/v1/orders/{}/state", {"state": "on_the_way"}, 1)
_ARRIVE = _Asks("arrive", "PATCH", "/v1/orders/{}/state", {"state": "delivered"}, 3)
_CALL_OFF = _Asks("call off", "POST", "/v1/orders/{}/cancel", {"reason": "changed my mind"}, 2)
LIVES: Mapping[str, _Life] = {
    "called off": _Life(0.80, [_place(), _ASSIGN, _CALL_OFF]),
    "delivered": _Life(0.12, [_place(), _ASSIGN, _GO, _ARRIVE]),
    "refunded": _Life(0.07, [_place("credit_card"), _PAY, _ASSIGN, _CALL_OFF]),
    "sold out": _Life(0.01, [_place(food=SOLD_OUT)]),
}
"""The share of each, and its requests. Inventory cancels what is sold out."""


@define(eq=False)
class Workload:
    """``acknowledged`` is by key, ``unknown`` the keys whose outcome was not known at some time.

    ``strange`` are answers that no client should get, whatever happens behind it. ``orders`` are the ids of those
    that have begun; ``due`` waits until that part of the time has come. Orders come in over HTTP, at ``ports``, and
    ``inside`` of another application.
    """

    plan: Plan
    ports: Sequence[int]
    token: str
    inside: OrderFlow | None
    due: Callable[[float], Awaitable[None]]
    acknowledged: dict[str, AcknowledgedRequest] = field(factory=dict, init=False)
    unknown: dict[str, Step] = field(factory=dict, init=False)
    again: Counter[str] = field(factory=Counter, init=False)
    strange: list[str] = field(factory=list, init=False)
    over_http: int = field(default=0, init=False)
    orders: list[str] = field(factory=list, init=False)

    async def __call__(self) -> None:
        """Orders, each to its end, which is a final state."""

        async def caller(name: int, orders: Iterator[Order], by_http: bool) -> None:
            with self._doors(name, by_http) as clients:
                for order in orders:
                    await self.due(order.due)
                    self.orders.append(order.id)
                    await self._live(order, clients)

        async def callers(by_http: bool) -> None:
            orders = (order for order in self.plan.orders() if order.steps[0].by_http is by_http)
            await asyncio.gather(*(caller(name, orders, by_http) for name in range(CALLERS if by_http else INSIDE)))

        await asyncio.gather(callers(True), callers(False))

    @contextmanager
    def _doors(self, name: int, by_http: bool) -> Iterator[Sequence[Client]]:
        """Of the caller with that number, who begins at one of the APIs or the other."""
        if by_http:
            clients: Sequence[Client] = [HttpClient(port, self.token) for port in self.ports[:: 1 if name % 2 else -1]]
        else:
            assert self.inside is not None
            clients = [EmbeddedClient(self.inside)]
        try:
            yield clients
        finally:
            for client in clients:
                client.close()

    async def retries(self, many: int) -> None:
        """The same new order asked for so many times at once, each by a caller of its own until it is answered."""
        name = f"retries-{len([key for key in self.acknowledged if key.startswith('retries')])}"
        step = LIVES["called off"].steps[0].of(name, 1, by_http=True)

        async def caller(number: int) -> ClientResponse:
            with self._doors(number, by_http=True) as clients:
                return await self._step(step, f"{name}.place", clients)

        answers = await asyncio.gather(*(caller(number) for number in range(many)))
        bodies = {answer.body for answer in answers}
        if len(bodies) != 1:
            self.strange.append(f"{many} retries of one request got {len(bodies)} different answers")
        self._note(f"{name}.place", step, answers[0])

    async def ask_again(self) -> int:
        """Whatever had an unknown outcome, once more; how many were asked. Other bytes than before are strange."""
        unknown = list(self.unknown.items())

        async def caller(name: int) -> None:
            for key, step in unknown[name::CALLERS]:
                with self._doors(name, step.by_http) as clients:
                    answer = await self._step(step, key, clients)
                known = self.acknowledged.get(key)
                if known is None or _digest(answer.body) != known.digest:
                    self.strange.append(f"{key} asked again answers otherwise: {answer.body[:200]!r}")

        await asyncio.gather(*(caller(name) for name in range(CALLERS)))
        return len(unknown)

    async def _live(self, order: Order, clients: Sequence[Client]) -> None:
        for step in order.steps:
            key = f"{order.id}.{step.name}"
            answer = await self._step(step, key, clients)
            if not 200 <= answer.status < 300:
                self.strange.append(f"{key}: {answer.status} {answer.body[:300]!r}")
                return
            self._note(key, step, answer)

    def _note(self, key: str, step: Step, answer: ClientResponse) -> None:
        said = decode(answer.body, type=_Answer)
        self.over_http += step.by_http
        self.acknowledged[key] = AcknowledgedRequest(
            said.order_id, said.version, _digest(answer.body), step.name == "place"
        )

    async def _step(self, step: Step, key: str, clients: Sequence[Client]) -> ClientResponse:
        """The answer, however often it takes; each time at the other client."""
        tries = 0
        while True:
            try:
                answer = await clients[tries % len(clients)].ask(step, key)
            except RequestUnanswered:
                self.unknown[key] = step
                code = "no answer"
            else:
                code = "" if answer.status < 400 else _code(answer)
                if code not in ASK_AGAIN:
                    return answer
                if answer.status == 503:
                    self.unknown[key] = step
            self.again[code] += 1
            tries += 1
            await asyncio.sleep(min(1.0, 0.05 * tries))


def _code(refusal: ClientResponse) -> str:
    """Its code; that of a connection which was refused, before anything was read of it, is in its status alone."""
    return decode(refusal.body, type=_Answer).code if refusal.body else f"http_{refusal.status}"


def _digest(body: bytes) -> str:
    return md5(body, usedforsecurity=False).hexdigest()
