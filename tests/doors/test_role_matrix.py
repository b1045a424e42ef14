"""The rights to each action on an order, on every door: role x tie x state x action x door.

The expected outcome is computed here, from the transition table and the others below. Each door must give it, with
the same state, guard and actions, and must answer "not yours" exactly as "not there"; the command line, which does not
know the state, each outcome once. An action, role, state, route, command or method that is not listed here fails.
"""

import asyncio
import csv
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any, Protocol

import pytest
from attrs import fields, frozen
from litestar import Litestar
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.application.orders.order_view import OrderView, view
from orderflow.application.orders.queries import OrderQuery
from orderflow.application.orders.use_cases import UseCases
from orderflow.application.orders.write_set import WriteSet
from orderflow.domain.actor import Actor, Role
from orderflow.domain.consent import CONSENT, MoneyAction, RestaurantOrders
from orderflow.domain.errors import OrderFlowError
from orderflow.domain.lifecycle import ASSIGNABLE, ASSIGNERS, TRANSITIONS, Guard, OrderState, Relation
from orderflow.domain.order import Order
from orderflow.domain.payment import PAYMENT_TRANSITIONS, PaymentMethod, PaymentStatus
from orderflow.entrypoints.cli import session
from orderflow.entrypoints.container import Container
from orderflow.entrypoints.embedded import OrderFlow
from orderflow.entrypoints.http.errors import status_of
from orderflow.entrypoints.http.views import render
from orderflow.entrypoints.settings import Settings

from tests.support.commands import CommandLine
from tests.support.door import FEATURES, Installation, an_order, calling
from tests.support.every_command import commands
from tests.unit.domain.actors import ACTORS, AT, REASON, SITUATIONS, Tale, place

NOBODYS = "S9"
"""A shipper whom the order is assigned to by others."""
PAYMENTS = (PaymentMethod.CASH, PaymentMethod.CREDIT_CARD)
DONE, NOT_FOUND = "done", "order_not_found"
OPERATORS = {("orders", "verify")}
"""Commands of operators, who act for no actor."""


@frozen
class Ask:
    """One action with its arguments; ``shipper`` is 'self' for the actor's own id."""

    use_case: str
    target: OrderState | None = None
    shipper: str | None = None

    def shipper_id(self, by: Actor) -> str | None:
        return by.id if self.shipper == "self" else self.shipper


CHANGES = (
    *(Ask("transition_order_state", target) for target in OrderState),
    *(
        Ask("transition_order_state", target, shipper)
        for target in (OrderState.PREPARING, OrderState.ON_THE_WAY)
        for shipper in ("self", NOBODYS)
    ),
    Ask("assign_shipper", shipper="self"),
    Ask("assign_shipper", shipper=NOBODYS),
    Ask("cancel_order"),
    Ask("record_payment"),
    Ask("refund_order"),
)
READS = (Ask("get_order"), Ask("timeline"), Ask("as_of"))
OTHERS = {"create_order", "list_orders"}
"""Use-cases that are not about one order that there is; they have tests of their own below."""
OF_THE_REQUEST = {"x-correlation-id", "traceparent", "ratelimit"}
"""Headers that differ from one request to the next."""
INTERNAL = {"settle_payments", "look_up_refunds", "idempotent", "restaurants"}
"""No actor asks for these by themselves."""

HTTP_ROUTES = {
    ("PATCH", "changeState"): "transition_order_state",
    ("PUT", "assignShipper"): "assign_shipper",
    ("POST", "cancelOrder"): "cancel_order",
    ("POST", "recordPayment"): "record_payment",
    ("POST", "refundOrder"): "refund_order",
    ("POST", "placeOrder"): "create_order",
    ("POST", "placeOrders"): "create_order",
    ("GET", "getOrder"): "get_order",
    ("GET", "timeline"): "timeline",
    ("GET", "streamOrder"): "timeline",
    ("GET", "listOrders"): "list_orders",
    ("GET", "countOrders"): "list_orders",
    ("GET", "exportOrders"): "list_orders",
}
OTHER_ROUTES = {
    "lifecycle",
    "orderActions",
    "streamOrders",
    "makeStreamTicket",
    "listNotifications",
}
"""Routes whose own tests try each role."""
EACH_IS_TRIED = ("/v1/analytics/", "/v1/webhook-endpoints")
"""Paths of routes for admins, and for restaurants, of which tests below try every one."""
OPERATION_ROUTES = {
    "operationsStatus",
    "operationsFindings",
    "operationsChanges",
    "deadLetters",
    "redrive",
    "dropDeadLetter",
    "operationsRollout",
    "setPublishing",
    "pauseConsumer",
    "resumeConsumer",
    "traceOrder",
}
"""tests/doors/http/test_operations.py has their rules."""
PRICE_ROUTES = {"listPrices", "replacePrices", "setPrice", "removePrice"}
"""tests/doors/test_price_matrix.py has their rules."""
CUSTOMER_ROUTES = {
    "exportCustomer": ("GET", "export", None),
    "eraseCustomer": ("POST", "erase", {"reason": "asked for it"}),
}
METHODS = {"order_as_of": "as_of", "count_orders": "list_orders"}
"""Methods of the embedded API that are named otherwise than their use-case."""


def rule(order: Order, by: Actor, ask: Ask, setting: RestaurantOrders = RestaurantOrders.NONE) -> str:
    """The code of the refusal that the tables require in an installation with this ``setting``, or DONE."""
    shipper_id = ask.shipper_id(by)
    claim = (
        by.role is Role.SHIPPER
        and order.shipper_id is None
        and order.state in ASSIGNABLE
        and shipper_id == by.id
        and ask.target in (None, OrderState.PREPARING, OrderState.ON_THE_WAY)
    )
    if not _has(order, by, Relation.OWN) and not claim:
        return NOT_FOUND
    match ask.use_case:
        case "transition_order_state":
            assert ask.target is not None
            return _transition(order, by, ask.target, shipper_id)
        case "cancel_order":
            return _transition(order, by, OrderState.CANCELLED, None)
        case "assign_shipper":
            return _assign(order, by, shipper_id)
        case "record_payment":
            return _pay(order, by, setting)
        case "refund_order":
            permitted = _may(order, by, {Role.RESTAURANT: Relation.OWN, Role.ADMIN: Relation.ANY})
            refundable = DONE if order.refundable.amount else "guard_failed"
            return refundable if permitted else "not_permitted"
        case "get_order" | "timeline" | "as_of":
            return DONE
    raise AssertionError(f"there is no rule for {ask.use_case}")


def _has(order: Order, by: Actor, relation: Relation) -> bool:
    parties = {
        Role.CUSTOMER: order.customer_id,
        Role.RESTAURANT: order.restaurant_id,
        Role.SHIPPER: order.shipper_id,
        Role.ADMIN: by.id,
    }
    return relation is Relation.ANY or parties[by.role] == by.id


def _may(order: Order, by: Actor, parties: Mapping[Role, Relation]) -> bool:
    return by.role in parties and _has(order, by, parties[by.role])


def _transition(order: Order, by: Actor, target: OrderState, shipper_id: str | None) -> str:
    if target is OrderState.PREPARING and shipper_id is not None and order.state in ASSIGNABLE:
        return _assign(order, by, shipper_id)
    same_shipper = target is not OrderState.ON_THE_WAY or shipper_id in (None, order.shipper_id)
    if order.state is target and same_shipper:
        ways = [t.by for t in TRANSITIONS if t.target is target] or [CONSENT[MoneyAction.PLACE_CASH].by]
        return DONE if any(_may(order, by, parties) for parties in ways) else "not_permitted"
    row = next((t for t in TRANSITIONS if (t.source, t.target) == (order.state, target)), None)
    if row is None:
        return "illegal_transition"
    takes = by.role is Role.SHIPPER and order.shipper_id is None and shipper_id == by.id
    gives = by.role is Role.ADMIN and shipper_id is not None
    brings_other = by.role is Role.SHIPPER and shipper_id not in (None, order.shipper_id, by.id)
    if by.role not in row.by or (target is OrderState.ON_THE_WAY and brings_other):
        return "not_permitted"
    if row.guard is Guard.SHIPPER and order.shipper_id is None and not takes and not gives:
        return "guard_failed"
    return DONE if takes or _may(order, by, row.by) else "not_permitted"


def _assign(order: Order, by: Actor, shipper_id: str | None) -> str:
    if by.role not in ASSIGNERS or (by.role is Role.SHIPPER and shipper_id != by.id):
        return "not_permitted"
    if order.shipper_id == shipper_id:
        return DONE
    return DONE if order.state in ASSIGNABLE else "guard_failed"


def _pay(order: Order, by: Actor, setting: RestaurantOrders) -> str:
    if not consents(MoneyAction.CHARGE_CARD if order.payment.by_card else MoneyAction.TAKE_CASH, order, by, setting):
        return "not_permitted"
    if order.state is OrderState.CANCELLED:
        return "guard_failed"
    payable = order.payment.status is PaymentStatus.PAID
    return DONE if payable or PaymentStatus.PAID in PAYMENT_TRANSITIONS[order.payment.status] else "guard_failed"


def consents(action: MoneyAction, order: Order, by: Actor, setting: RestaurantOrders) -> bool:
    """Return whether the table lets ``by`` do it to the customer of ``order``."""
    settings = list(RestaurantOrders)
    row = CONSENT[action]
    without = by.role is Role.RESTAURANT and settings.index(setting) < settings.index(row.restaurants)
    return _may(order, by, row.by) and not without


@frozen
class Answer:
    """A door's answer: the code of the refusal or DONE, the order or the refusal's details, and all of it."""

    code: str
    content: object
    whole: Any = None


class Door(Protocol):
    def __call__(self, order_id: str, by: Actor, ask: Ask) -> Answer: ...


class House:
    """One installation on memory, with every door to it."""

    def __init__(self, restaurants: RestaurantOrders = RestaurantOrders.NONE) -> None:
        self.installation = Installation(available_orders=True, restaurants=restaurants)
        self.app: Litestar = self.installation.app(features=FEATURES)
        settings = Settings(database_url="memory://", available_orders="all", restaurant_orders=restaurants)
        self.container = Container(settings=settings)
        self.container.storage.override(self.installation.storage)
        self.container.gateway.override(SandboxGateway())
        self.made = 0
        self._absent: dict[tuple[Any, ...], str] = {}

    def order(self, situation: str, method: PaymentMethod) -> Order:
        """A new order in that situation, with its events."""
        self.made += 1
        tale: Tale = SITUATIONS[situation](Tale(place(method, id=f"O{self.made}")))
        writes = WriteSet(orders={tale.order.id: tale.order}, expected={tale.order.id: 0}, events=[*tale.events])
        asyncio.run(self.installation.storage.committer.commit_together([writes]))
        return tale.order

    def stored(self, order_id: str) -> Order:
        return asyncio.run(self.installation.storage.views.get(order_id))

    def absent(self, ask_door: "Door", order_id: str, by: Actor, ask: Ask) -> str:
        """Return the answer of ``ask_door`` for a missing order, without its id; asked once for each length of it."""
        key = (ask_door, len(order_id), by, ask)
        if key not in self._absent:
            self._absent[key] = without_id(ask_door(order_id, by, ask), order_id)
        return self._absent[key]

    def embedding(self, order_id: str, by: Actor, ask: Ask) -> Answer:
        flow = OrderFlow(self.container)
        arguments: dict[str, Callable[[], Any]] = {
            "transition_order_state": lambda: flow.transition_order_state(
                order_id, ask.target or "", by=by, shipper_id=ask.shipper_id(by), reason=REASON
            ),
            "assign_shipper": lambda: flow.assign_shipper(order_id, ask.shipper_id(by) or "", by=by),
            "cancel_order": lambda: flow.cancel_order(order_id, REASON, by=by),
            "record_payment": lambda: flow.record_payment(order_id, by=by),
            "refund_order": lambda: flow.refund_order(order_id, REASON, borne_by="restaurant", by=by),
            "get_order": lambda: flow.get_order(order_id, by=by),
            "timeline": lambda: flow.timeline(order_id, by=by),
            "as_of": lambda: flow.order_as_of(order_id, AT, by=by),
        }
        try:
            answer = asyncio.run(arguments[ask.use_case]())
        except OrderFlowError as e:
            return Answer(e.code, _refusal(e.context()), (type(e), str(e), e.context()))
        return Answer(DONE, _plain(view(answer, by)) if isinstance(answer, Order) else None)

    def http(self, order_id: str, by: Actor, ask: Ask, **headers: str) -> Answer:
        path = f"/v1/orders/{order_id}"
        change = {"state": ask.target, "shipperId": ask.shipper_id(by)}
        given = {name: value for name, value in change.items() if value is not None}
        if ask.target is OrderState.CANCELLED:
            given["reason"] = REASON
        requests = {
            "transition_order_state": ("PATCH", f"{path}/state", given),
            "assign_shipper": ("PUT", f"{path}/shipper", given),
            "cancel_order": ("POST", f"{path}/cancel", {"reason": REASON}),
            "record_payment": ("POST", f"{path}/payment", {}),
            "refund_order": ("POST", f"{path}/refunds", {"reason": REASON, "borneBy": "restaurant"}),
            "get_order": ("GET", path, None),
            "timeline": ("GET", f"{path}/timeline", None),
            "as_of": ("GET", f"{path}?asOf={AT:%Y-%m-%dT%H:%M:%SZ}", None),
        }
        method, url, body = requests[ask.use_case]
        return asyncio.run(self.request(by, method, url, body, **headers))

    async def request(self, by: Actor, method: str, url: str, body: object = None, **headers: str) -> Answer:
        async with calling(self.app, str(by)) as client:
            response = await client.request(method, url, json=body, headers=headers)
        shown = {name: value for name, value in response.headers.items() if name not in OF_THE_REQUEST}
        whole = (response.status_code, shown, response.text)
        if response.headers["content-type"].startswith("text/csv"):
            return Answer(DONE, None, whole)
        content = response.json()
        if response.is_success:
            return Answer(DONE, content if "allowedActions" in content else None, whole)
        assert (content["status"], content["title"] != "") == (response.status_code, True)
        return Answer(content["code"], _refusal(content), whole)

    def cli(self, order_id: str, by: Actor, ask: Ask) -> Answer:
        shipper_id = ask.shipper_id(by)
        shipper = ["--shipper", shipper_id] if shipper_id else []
        line: dict[str, list[str]] = {
            "transition_order_state": ["transition", order_id, ask.target or "", *shipper, "--reason", REASON],
            "assign_shipper": ["assign", order_id, shipper_id or ""],
            "cancel_order": ["cancel", order_id, "--reason", REASON],
            "record_payment": ["pay", order_id],
            "refund_order": ["refund", order_id, "--reason", REASON, "--borne-by", "restaurant"],
            "get_order": ["show", order_id],
            "timeline": ["timeline", order_id],
            "as_of": ["timeline", order_id, "--as-of", f"{AT:%Y-%m-%dT%H:%M:%SZ}"],
        }
        return self.command(by, *line[ask.use_case])

    def command(self, by: Actor, *line: str, stdin: str = "", of: str = "orders") -> Answer:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "build_container", lambda settings: self.container)
            result = CommandLine("memory://")("--json", of, *line, "--as", str(by), stdin=stdin)
        said = [line for line in result.err.splitlines() if not line.startswith("{")]  # audit lines have times and ids
        whole = (result.code, result.out, "\n".join(said))
        if result.code == 0:
            return Answer(DONE, result.data if "allowedActions" in result.data else None, whole)
        assert result.out == "" or line[0] == "import"
        return Answer({1: "refused", 3: NOT_FOUND, 4: "refused"}[result.code], None, whole)


def _refusal(content: Mapping[str, Any]) -> object:
    """Return the details of a refusal, which are the same on every door."""
    names = ("action", "state", "allowed", "guard", "unlock")
    given = ((name, content[name]) for name in names if name in content)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given}


def _plain(shown: OrderView) -> Any:
    return json.loads(render(shown))


@cache
def house_with(setting: RestaurantOrders) -> House:
    return House(setting)


@pytest.fixture
def house() -> House:
    """An installation that tests share, each with orders of its own."""
    return house_with(RestaurantOrders.NONE)


def cells(house: House, situation: str, asks: tuple[Ask, ...]) -> Iterator[tuple[Order, Actor, Ask]]:
    """Every actor and action, each with an order of its own in that situation."""
    for by, ask, method in _requests(asks):
        yield house.order(situation, method), by, ask


def outcomes(house: House) -> Iterator[tuple[Order, Actor, Ask]]:
    """Every actor and action, each with an order of its own for each outcome that it has in any situation."""
    for by, ask, method in _requests(CHANGES + READS):
        ways = {rule(SITUATIONS[each](Tale(place(method))).order, by, ask): each for each in SITUATIONS}
        for situation in ways.values():
            yield house.order(situation, method), by, ask


def _requests(asks: tuple[Ask, ...]) -> Iterator[tuple[Actor, Ask, PaymentMethod]]:
    """Every actor and action. Only payments depend on the method."""
    for by in ACTORS:
        for ask in asks:
            for method in PAYMENTS if ask.use_case == "record_payment" else PAYMENTS[:1]:
                yield by, ask, method


def missing(order: Order) -> str:
    """The id of an order that is not there, as long as that of ``order``."""
    return "X" + order.id[1:]


def without_id(answer: Answer, order_id: str) -> str:
    """Everything that the door said, without the order's id."""
    return repr(answer.whole).replace(order_id, "ID")


@pytest.mark.parametrize(
    ("door", "situation"), [*product(["embedding", "http"], SITUATIONS), ("cli", "one of each outcome")]
)
def test_every_door_answers_what_the_tables_require(house: House, door: str, situation: str) -> None:
    ask_door: Door = getattr(house, door)
    wrong: list[Any] = []

    for order, by, ask in outcomes(house) if door == "cli" else cells(house, situation, CHANGES + READS):
        expected = rule(order, by, ask)
        answer = ask_door(order.id, by, ask)

        stored = house.stored(order.id)
        if answer.code != ("refused" if door == "cli" and expected not in (DONE, NOT_FOUND) else expected):
            wrong.append((str(by), ask, order.payment.method, f"expected {expected}", answer))
        elif expected == DONE:
            if answer.content is not None and answer.content != _plain(view(stored, by)):
                wrong.append((str(by), ask, "shows another order", answer))
        elif stored != order:
            wrong.append((str(by), ask, "changed the order", answer))
        elif expected == NOT_FOUND:
            absent = house.absent(ask_door, missing(order), by, ask)
            if without_id(answer, order.id) != absent:
                wrong.append((str(by), ask, f"differs from an order that is not there: {absent}", answer))
        elif not same(answer, house.embedding(order.id, by, ask)):
            wrong.append((str(by), ask, "says something else than the embedding", answer))

    assert wrong == []


def same(answer: Answer, embedded: Answer) -> bool:
    """Return whether a refusal agrees with the error of the embedded API: as text, and as data if there is any."""
    (kind, text, _), whole = embedded.whole, answer.whole
    if whole == embedded.whole:
        return True
    if answer.code == "refused":
        return text in " ".join(whole[2].split())
    return (answer.content, whole[0], json.loads(whole[2])["detail"]) == (embedded.content, status_of(kind), text)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_version_is_compared_only_for_those_who_find_the_order(house: House, situation: str) -> None:
    stale: dict[str, Any] = {"If-Match": '"99"'}
    wrong = []

    for order, by, ask in cells(house, situation, CHANGES):
        found = rule(order, by, ask) != NOT_FOUND
        if order.payment.by_card and ask.use_case == "record_payment":
            continue  # what would be refused anyway is refused before the version is compared
        answer = house.http(order.id, by, ask, **stale)
        if (answer.code == "version_mismatch") is not found or (not found and answer.code != NOT_FOUND):
            wrong.append((str(by), ask, answer))

    assert wrong == []


@pytest.mark.parametrize("by", ACTORS, ids=str)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_stream_is_opened_for_those_who_may_read_the_order(house: House, situation: str, by: Actor) -> None:
    order = house.order(situation, PaymentMethod.CASH)
    if _has(order, by, Relation.OWN):
        return  # tests/doors/http/test_stream.py reads it
    path = "/v1/orders/{}/stream"

    refused = asyncio.run(house.request(by, "GET", path.format(order.id)))
    absent = asyncio.run(house.request(by, "GET", path.format(missing(order))))

    assert refused.code == NOT_FOUND
    assert without_id(refused, order.id) == without_id(absent, missing(order))


@pytest.mark.parametrize("by", [actor for actor in ACTORS if actor.role is not Role.SHIPPER], ids=str)
def test_an_id_that_is_taken_says_the_same_whatever_the_order_of_others_contains(by: Actor) -> None:
    house = house_with(RestaurantOrders.ALL)
    taken = house.order("waiting", PaymentMethod.CREDIT_CARD)
    own = {Role.CUSTOMER: {"userId": by.id}, Role.RESTAURANT: {"restaurantId": by.id}, Role.ADMIN: {}}[by.role]
    foreign = {"userId": "C1", "restaurantId": "R1", **own}
    bodies = [
        an_order(orderId=taken.id, **foreign),
        an_order(orderId=taken.id, paymentMethod="card", cardToken="tok_visa", currency="EUR", **foreign),
        an_order(orderId=taken.id, address={"street": "Main Street 1", "city": "Springfield"}, **foreign),
    ]

    answers = [asyncio.run(house.request(by, "POST", "/v1/orders", body)) for body in bodies]

    assert {answer.code for answer in answers} == {"order_exists"}
    if not _has(taken, by, Relation.OWN):
        assert len({repr(answer.whole) for answer in answers}) == 1


@pytest.fixture(scope="module")
def listed() -> tuple[House, list[Order]]:
    """An installation with an order in every situation, and those orders."""
    house = House()
    return house, [house.order(situation, method) for situation in SITUATIONS for method in PAYMENTS]


@pytest.mark.parametrize("by", ACTORS, ids=str)
def test_a_list_has_the_orders_of_the_caller_and_available_ones_only_for_shippers(
    listed: tuple[House, list[Order]], by: Actor
) -> None:
    house, orders = listed
    own = {order.id for order in orders if _has(order, by, Relation.OWN)}
    free = {order.id for order in orders if order.shipper_id is None and order.state in ASSIGNABLE}
    flow = OrderFlow(house.container)
    found: dict[str, list[set[str]]] = {}

    for name, query, path, options in (
        ("own", OrderQuery(), "", ()),
        ("available", OrderQuery(available=True), "?available=true", ("--available",)),
    ):
        embedded = asyncio.run(flow.list_orders(query, by=by))
        http = asyncio.run(house.request(by, "GET", f"/v1/orders{path}"))
        exported = asyncio.run(house.request(by, "GET", f"/v1/orders.csv{path}"))
        cli = house.command(by, "list", *options)
        pages = [json.loads(http.whole[2])["orders"], json.loads(cli.whole[1])["orders"]]
        counts = [
            {each.state: each.orders for each in asyncio.run(flow.count_orders(query, by=by))},
            _numbers(json.loads(asyncio.run(house.request(by, "GET", f"/v1/orders:count{path}")).whole[2])["counts"]),
            _numbers(json.loads(house.command(by, "count", *options).whole[1])),
        ]
        assert [sum(each.values()) for each in counts] == [len(embedded.orders)] * 3
        assert counts == [counts[0]] * 3
        pages.append([*csv.DictReader(exported.whole[2].removeprefix("\ufeff").splitlines())])
        found[name] = [{order.id for order in embedded.orders}, *({each["orderId"] for each in page} for page in pages)]

    assert found["own"] == [own] * 4
    assert found["available"] == [free if by.role is Role.SHIPPER else free & own] * 4


def _numbers(counts: list[dict[str, Any]]) -> dict[str, int]:
    return {each["state"]: each["orders"] for each in counts}


@pytest.mark.parametrize("by", ACTORS, ids=str)
def test_figures_are_for_admins_and_restaurants(house: House, by: Actor) -> None:
    paths = [r.path for r in house.app.routes if r.path.startswith("/v1/analytics")]

    answers = {asyncio.run(house.request(by, "GET", path)).code for path in paths}

    assert (answers == {"not_permitted"}) == (by.role in (Role.CUSTOMER, Role.SHIPPER))
    assert answers <= {DONE, "not_permitted"} or by.role is Role.ADMIN


@pytest.mark.parametrize("customer", ["C1", "C9"])
def test_what_is_kept_of_a_customer_is_for_admins(customer: str) -> None:
    house = House()
    house.order("delivered S1", PaymentMethod.CASH)

    answers = {
        str(by): [
            asyncio.run(house.request(by, method, f"/v1/customers/{customer}/{what}", body)).code
            for method, what, body in CUSTOMER_ROUTES.values()
        ]
        for by in ACTORS
    }

    assert answers == {str(by): [DONE if by.role is Role.ADMIN else "not_permitted"] * 2 for by in ACTORS}


def test_every_use_case_has_a_rule() -> None:
    asked = {ask.use_case for ask in CHANGES + READS}

    assert {field.name for field in fields(UseCases)} == asked | OTHERS | INTERNAL


def test_every_route_has_a_rule(house: House) -> None:
    routes = [
        (method, handler.operation_id)
        for route in house.app.routes
        if route.path.startswith("/v1/") and not route.path.startswith(EACH_IS_TRIED)
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
    ]

    elsewhere = CUSTOMER_ROUTES.keys() | PRICE_ROUTES | OPERATION_ROUTES | OTHER_ROUTES
    assert {route for route in routes if route[1] not in elsewhere} == HTTP_ROUTES.keys()
    assert set(HTTP_ROUTES.values()) <= {field.name for field in fields(UseCases)}


def test_every_command_about_orders_has_a_rule() -> None:
    tried = {"transition", "assign", "cancel", "pay", "refund", "show", "timeline", "create", "list", "count"}
    traced = {("orders", "trace")}
    imported = {("orders", "import")}  # as create, see tests/doors/cli

    assert {it for it in commands() if it[0] == "orders"} == {
        ("orders", it) for it in tried
    } | traced | imported | OPERATORS


def test_a_trace_is_for_those_who_may_read_the_order(house: House) -> None:
    order = house.order("waiting", PaymentMethod.CASH)

    codes = {str(by): house.command(by, "trace", order.id).code for by in ACTORS}

    assert codes == {str(by): DONE if _has(order, by, Relation.OWN) else NOT_FOUND for by in ACTORS}


def test_every_method_with_an_actor_has_a_rule() -> None:
    methods = {
        METHODS.get(name, name)
        for name, method in inspect.getmembers(OrderFlow, inspect.isfunction)
        if (by := inspect.signature(method).parameters.get("by")) is not None and "Actor" in str(by.annotation)
    }

    assert methods == {field.name for field in fields(UseCases)} - INTERNAL


def test_every_role_state_and_payment_is_tried() -> None:
    states = {SITUATIONS[each](Tale(place())).order.state for each in SITUATIONS}

    assert {actor.role for actor in ACTORS} == set(Role)
    assert states == set(OrderState)


@pytest.mark.parametrize("by", [actor for actor in ACTORS if actor.role is not Role.ADMIN], ids=str)
def test_webhooks_are_for_admins(house: House, by: Actor) -> None:
    routes = [
        (method, re.sub(r"\{[^}]*\}", "E1", route.path_format))
        for route in house.app.routes
        if route.path.startswith("/v1/webhook-endpoints")
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
    ]

    answers = {
        asyncio.run(house.request(by, method, path, {} if method == "POST" else None)).code for method, path in routes
    }

    assert len(routes) == 11
    assert answers == {"not_permitted"}
