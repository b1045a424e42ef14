"""``OrderFlow`` inside another application: orders, handlers and consumers of one flow."""

import asyncio
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from attrs import evolve
from orderflow import (
    Actor,
    InvalidInput,
    Money,
    NotPermitted,
    Order,
    OrderEvent,
    OrderFlow,
    OrderLine,
    OrderNotFound,
    OrderQuery,
    OrderState,
    PaymentStatus,
    Settings,
    Unavailable,
    VersionMismatch,
)
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.consuming.log_source import LogEventSource
from orderflow.application.request_context import current_request, is_traceparent
from orderflow.domain.events import OrderCreated
from orderflow.entrypoints import embedded_consumers
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LIFE = [
    "order.created",
    "order.shipper_assigned",
    "order.state_changed",
    "order.state_changed",
    "order.state_changed",
    "order.payment_processed",
    "order.delivered",
]


def pizzas(quantity: int = 2, price: str = "12.50") -> list[OrderLine]:
    return [
        OrderLine(
            food_id="F1",
            food_name="Pizza",
            price=Money(Decimal(price), "EUR"),
            quantity=quantity,
            discount=Money.zero("EUR"),
        )
    ]


async def placed(flow: OrderFlow, order_id: str | None = None, **more: Any) -> str:
    given = {"customer_id": "C1", "restaurant_id": "R7", "lines": pizzas(), "currency": "EUR", **more}
    return (await flow.create_order(order_id=order_id, **given)).id


async def lived(flow: OrderFlow, order_id: str) -> None:
    """A whole life of seven events."""
    await placed(flow, order_id)
    await flow.assign_shipper(order_id, "S3")
    await flow.transition_order_state(order_id, "on_the_way")
    await flow.transition_order_state(order_id, "delivered")


async def test_an_order_lives_from_creation_to_delivery() -> None:
    async with OrderFlow.in_memory() as flow:
        await lived(flow, "O1")

        order = await flow.get_order("O1")
        assert (order.state, order.payment.status, order.version) == (OrderState.DELIVERED, PaymentStatus.PAID, 7)
        assert [entry.event.type for entry in await flow.timeline("O1")] == LIFE


async def test_a_card_is_charged_and_given_back() -> None:
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "O1", payment_method="card", card_token="tok_success")

        paid = await flow.record_payment("O1")
        cancelled = await flow.cancel_order("O1", "changed my mind")
        refunded = await flow.get_order("O1")

        assert (paid.payment.status, refunded.payment.status) == (PaymentStatus.PAID, PaymentStatus.REFUNDED)
        assert cancelled.payment.refunds.requested == cancelled.total.amount
        assert flow.container.gateway().moved.keys() == {"O1:authorize:1", "O1:capture:1", "O1:refund"}


async def test_a_card_is_charged_once_although_the_first_answer_was_lost() -> None:
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "O1", payment_method="card", card_token="tok_timeout_once")

        with pytest.raises(Unavailable):
            await flow.record_payment("O1")
        stored = await flow.container.storage().attempts.of_order("O1")
        paid = await flow.record_payment("O1")

        assert [(attempt.key, attempt.status) for attempt in stored] == [("O1:authorize:1", "requested")]
        assert paid.payment.status is PaymentStatus.PAID
        assert flow.container.gateway().moved.keys() == {"O1:authorize:1", "O1:capture:1"}


async def test_orders_are_listed_and_seen_as_they_were() -> None:
    async with OrderFlow.in_memory() as flow:
        await lived(flow, "O1")
        await placed(flow, "O2")
        created = (await flow.get_order("O1")).created_at

        page = await flow.list_orders(OrderQuery(state=OrderState.DELIVERED))
        then = await flow.order_as_of("O1", created)

        assert [order.id for order in page.orders] == ["O1"]
        assert then.state is OrderState.WAITING_FOR_SHIPPER


async def test_what_an_application_gives_of_another_type_is_refused_and_named() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:

        async def refused(**given: Any) -> str:
            order = {"customer_id": "C1", "restaurant_id": "R7", "lines": pizzas(), "currency": "EUR", **given}
            with pytest.raises(InvalidInput) as error:
                await flow.create_order(**order)
            return error.value.field

        assert await refused(currency="") == "currency"
        assert await refused(lines=None) == "orderDetails"
        assert await refused(lines=pizzas()[0]) == "orderDetails"
        assert await refused(lines=[*pizzas(), {"foodId": "F1"}]) == "orderDetails/1"
        assert await refused(total=Decimal(30)) == "totalPrice"
        assert await refused(total=25.0) == "totalPrice"
        assert await refused(address={"street": "Main Street 1"}) == "address"
        assert await refused(lines=[evolve(*pizzas(), price=Decimal("12.50"))]) == "orderDetails/0/price"
        assert await refused(lines=[evolve(*pizzas(), discount=0)]) == "orderDetails/0/discount"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"state": "deliverd"}, "state"),
        ({"state": ["delivered", "done"]}, "state"),
        ({"state": 5}, "state"),
        ({"sort": "latest"}, "sort"),
        ({"late": "no"}, "late"),
        ({"available": 1}, "available"),
        ({"limit": "10"}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"created_from": "2024-01-01"}, "createdFrom"),
        ({"created_until": date(2024, 1, 1)}, "createdUntil"),
        ({"created_from": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, "createdFrom"),
    ],
)
def test_a_condition_that_would_be_ignored_or_fail_later_is_refused(given: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        OrderQuery(**given)

    assert refused.value.field == field


async def test_orders_are_listed_by_the_names_of_states_and_of_an_order() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await lived(flow, "O1")
        await placed(flow, "O2")
        await placed(flow, "O3")

        page = await flow.list_orders(OrderQuery(state="waiting_for_shipper", sort="oldest"))

        assert [order.id for order in page.orders] == ["O2", "O3"]


async def test_a_call_with_an_argument_of_another_type_is_refused_and_names_it() -> None:
    async with OrderFlow.in_memory(consumers=["analytics"]) as flow:
        untyped: Any = flow
        operator = {"by": "op", "reason": "repaired"}
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "query": lambda: untyped.list_orders("C1"),
            "asOf": lambda: untyped.order_as_of("O1", "2024-01-01"),
            "by": lambda: untyped.redrive("analytics", by=Actor.parse("admin:x"), reason="repaired"),
            "reason": lambda: untyped.redrive("analytics", by="op", reason=None),
            "orderId": lambda: untyped.redrive("analytics", "\ud800", **operator),
            "rate": lambda: untyped.redrive("analytics", rate="5", **operator),
            "from": lambda: untyped.replay("analytics", 1, **operator),
        }

        for field, call in calls.items():
            with pytest.raises(InvalidInput) as refused:
                await call()
            assert refused.value.field == field
        with pytest.raises(InvalidInput, match="actor: 5 names no role"):
            Actor.parse(cast("str", 5))
        with pytest.raises(InvalidInput, match="correlation id: it is a int"), untyped.correlated(5):
            pass
        with pytest.raises(InvalidInput, match="traceparent"), untyped.correlated(traceparent=5):
            pass


async def test_an_id_of_another_type_fails_its_own_call_only(tmp_path: Path) -> None:
    ids: list[Any] = [["O1"], {"id": "O1"}, 5, None]
    async with OrderFlow.open(f"sqlite:///{tmp_path}/orders.db") as flow:
        await placed(flow, "O1")

        for order_id in ids:
            asked = ["O1", "O1", order_id, "O1", "O1"]
            found = await asyncio.gather(*map(flow.get_order, asked), return_exceptions=True)
            with pytest.raises(OrderNotFound):
                await flow.record_payment(order_id)

            assert [type(each) for each in found] == [Order, Order, OrderNotFound, Order, Order]


async def test_a_row_that_cannot_be_read_fails_its_own_callers_only(tmp_path: Path) -> None:
    async with OrderFlow.open(f"sqlite:///{tmp_path}/orders.db") as flow:
        for order_id in ("O1", "O2"):
            await placed(flow, order_id)
        with sqlite3.connect(tmp_path / "orders.db") as connection:
            connection.execute("UPDATE orders SET currency = 'damaged' WHERE id = 'O2'")
        connection.close()

        asked = ["O1", "O1", "O2", "O1", "O1"]
        found = await asyncio.gather(*map(flow.get_order, asked), return_exceptions=True)

    assert [isinstance(each, Order) for each in found] == [True, True, False, True, True]


class SafeText(str):
    """A text of a subclass, as Django's templates and NumPy return it."""


class FrozenTime(datetime):
    """A time of a subclass, as libraries for tests return it."""


@pytest.mark.parametrize("url", ["memory://", "sqlite:///orders.db"])
async def test_texts_and_times_of_subclasses_are_stored_as_what_they_are(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = FrozenTime(2024, 5, 17, 12, tzinfo=UTC)
    async with OrderFlow.open(url, clock=lambda: now) as flow:
        line = evolve(*pizzas(), food_name=SafeText("Pizza"), food_id=SafeText("F1"))
        name, note = SafeText("Ann"), SafeText("no onions")
        pairs = {SafeText("table"): SafeText("12")}
        given = {"customer_id": SafeText("C1"), "customer_name": name, "note": note, "metadata": pairs}
        await placed(flow, SafeText("O1"), lines=[line], **given)
        await flow.assign_shipper(SafeText("O1"), SafeText("S3"))
        await flow.cancel_order("O1", SafeText("too late"))

        order = await flow.get_order("O1")
        events = [each.event for each in await flow.timeline("O1")]

        assert (order.lines, order.cancel_reason) == (tuple(pizzas()), "too late")
        assert [type(event.customer_id) for event in events] == [str] * len(events)
        assert {event.occurred_at for event in events} == {datetime(2024, 5, 17, 12, tzinfo=UTC)}


@pytest.mark.parametrize("paid", ["no", "false", "", 0, 1])
async def test_a_payment_is_recorded_only_for_true_or_false(paid: Any) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        order_id = await placed(flow)

        with pytest.raises(InvalidInput, match="paid"):
            await flow.record_payment(order_id, paid=paid)

        assert (await flow.get_order(order_id)).payment.status is PaymentStatus.PENDING


@pytest.mark.parametrize("reason", [None, 5])
async def test_a_reason_that_is_no_text_is_refused(reason: Any) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        order_id = await placed(flow)

        with pytest.raises(InvalidInput, match="reason"):
            await flow.cancel_order(order_id, reason)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_handler_that_never_returns_does_not_hold_up_the_end_of_the_flow(
    stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_consumers, "CANCELLED_WITHIN", 0.1)
    called, end = asyncio.Event(), asyncio.Event()

    async def hangs(_: OrderEvent) -> None:
        called.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    async with OrderFlow.open("memory://", stop_seconds=1.0, stop_grace_seconds=0.0) as flow:
        flow.on("order.created")(hangs)
        await placed(flow, "O1")
        await called.wait()
    end.set()

    with pytest.raises(RuntimeError, match="this OrderFlow is closed"):
        await flow.get_order("O1")


async def test_a_closed_flow_says_so(tmp_path: Path) -> None:
    async def handler(_: OrderEvent) -> None:
        raise AssertionError

    for url in ("memory://", f"sqlite:///{tmp_path / 'orders.db'}"):
        async with OrderFlow.open(url) as flow:
            pass

        with pytest.raises(RuntimeError, match="this OrderFlow is closed"):
            await flow.get_order("O1")
        with pytest.raises(RuntimeError, match="this OrderFlow is closed"):
            await flow.settled()
        with pytest.raises(RuntimeError, match="this OrderFlow is closed"):
            flow.on("order.created")(handler)


async def test_an_application_may_name_who_acts() -> None:
    customer = Actor.parse("customer:C1")
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "O1", by=customer)

        [created] = await flow.timeline("O1")
        assert cast("OrderCreated", created.event).by == "C1"
        with pytest.raises(NotPermitted):
            await flow.transition_order_state("O1", "preparing", by=customer)
        with pytest.raises(OrderNotFound):
            await flow.get_order("O1", by=Actor.parse("customer:C2"))


@pytest.mark.parametrize("by", ["admin:x", None, b"admin:x"])
async def test_an_actor_that_is_no_actor_is_refused_by_every_call(by: Any) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        order_id = await placed(flow)
        calls = [
            partial(placed, flow),
            partial(flow.get_order, order_id),
            flow.list_orders,
            partial(flow.timeline, order_id),
            partial(flow.order_as_of, order_id, datetime.now(UTC)),
            partial(flow.transition_order_state, order_id, "preparing"),
            partial(flow.assign_shipper, order_id, "S1"),
            partial(flow.record_payment, order_id),
            partial(flow.cancel_order, order_id, "no"),
        ]

        for call in calls:
            with pytest.raises(InvalidInput, match="an Actor, such as") as refused:
                await call(by=by)
            assert refused.value.field == "by"


async def test_the_use_cases_themselves_take_every_argument() -> None:
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "O1")

        with pytest.raises(VersionMismatch):
            await flow.use_cases.assign_shipper("O1", "S3", by=Actor.parse("admin:A1"), expected_version=7)


async def test_a_handler_gets_each_event_once_and_in_order() -> None:
    handled: list[tuple[str, int]] = []
    async with OrderFlow.in_memory() as flow:

        @flow.on()
        async def note(event: OrderEvent) -> None:
            handled.append((event.order_id, event.sequence))

        await lived(flow, "O1")
        await lived(flow, "O2")
        await flow.settled()

    assert sorted(handled) == [(order, sequence) for order in ("O1", "O2") for sequence in range(1, 8)]
    assert [at for at in handled if at[0] == "O1"] == [("O1", sequence) for sequence in range(1, 8)]


async def test_a_handler_gets_the_types_that_it_named() -> None:
    handled: list[str] = []
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on("order.created", "order.delivered")
        async def note(event: OrderEvent) -> None:
            handled.append(event.type)

        await lived(flow, "O1")
        await flow.settled()

    assert handled == ["order.created", "order.delivered"]


async def test_a_handler_that_comes_later_begins_with_the_first_event() -> None:
    handled: list[int] = []
    async with OrderFlow.in_memory(consumers=()) as flow:
        await lived(flow, "O1")

        @flow.on()
        async def note(event: OrderEvent) -> None:
            handled.append(event.sequence)

        await flow.settled()

    assert handled == [1, 2, 3, 4, 5, 6, 7]


async def test_a_handler_that_keeps_failing_parks_its_order_alone() -> None:
    handled: list[str] = []
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="fragile")
        async def fragile(event: OrderEvent) -> None:
            if event.order_id == "O1":
                raise RuntimeError("no paper")
            handled.append(event.order_id)

        await lived(flow, "O1")
        await placed(flow, "O2")
        with pytest.raises(RuntimeError, match="no paper"):
            await flow.settled()

        parked = await flow.container.effects().dead_letters.of_order("fragile", "O1")
        assert [(each.record.sequence, each.error, each.attempts) for each in parked] == [
            (1, "RuntimeError", 3),
            *((sequence, "", 0) for sequence in range(2, 8)),
        ]
        assert parked[0].message == "no paper"
        assert handled == ["O2"]


def exits(event: OrderEvent) -> None:
    raise SystemExit(3)


def finds_nothing(event: OrderEvent) -> None:
    next(iter(()))


async def exits_in_the_loop(event: OrderEvent) -> None:
    raise SystemExit(3)


async def awaits_what_was_cancelled(event: OrderEvent) -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


def ends_generators(event: OrderEvent) -> None:
    raise GeneratorExit


def returns_a_generator(event: OrderEvent) -> Any:
    return _generator(event)


async def returns_an_async_generator(event: OrderEvent) -> Any:
    return _async_generator(event)


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (ends_generators, "the handler raised GeneratorExit"),
        (returns_a_generator, "the handler returned a generator: nothing of it has run"),
        (returns_an_async_generator, "the handler returned a async_generator: nothing of it has run"),
        (exits, "the handler raised SystemExit 3"),
        (finds_nothing, "the handler raised StopIteration"),
        (exits_in_the_loop, "the handler raised SystemExit 3"),
        (awaits_what_was_cancelled, "the handler raised CancelledError"),
    ],
)
async def test_whatever_a_handler_raises_parks_its_order_and_ends_nothing_else(handler: Any, message: str) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        flow.on("order.created", name="fragile")(handler)
        await placed(flow, "O1")

        with pytest.raises(RuntimeError, match=message):
            await flow.settled()

        await placed(flow, "O2")
        with pytest.raises(RuntimeError, match=message):
            await flow.settled()


async def test_a_flow_of_another_event_loop_says_so() -> None:
    async with OrderFlow.in_memory() as flow:

        def call() -> None:
            asyncio.run(flow.get_order("O1"))

        with pytest.raises(RuntimeError, match="was opened in another event loop"):
            await asyncio.to_thread(call)


async def test_what_a_handler_could_not_do_is_redriven_in_its_application() -> None:
    handled: list[tuple[str, int]] = []
    paper = False
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="fragile")
        async def fragile(event: OrderEvent) -> None:
            if not paper:
                raise RuntimeError("no paper")
            handled.append((event.order_id, event.sequence))

        await lived(flow, "O1")
        with pytest.raises(RuntimeError, match="no paper"):
            await flow.settled()
        paper = True

        done = await flow.redrive("fragile", by="ann", reason="there is paper again")

        assert (done.events, done.unparked) == (7, ("O1",))
        assert handled == [("O1", sequence) for sequence in range(1, 8)]
        history = await flow.container.effects().dead_letters.history(limit=1, consumer="fragile")
        assert [(it.note.by, it.note.reason, it.outcome) for it in history] == [
            ("ann", "there is paper again", "handled")
        ]


async def test_a_redrive_for_a_handler_that_is_not_here_is_refused() -> None:
    async with OrderFlow.in_memory(consumers=("analytics",)) as flow:
        with pytest.raises(InvalidInput, match="analytics"):
            await flow.redrive("fragile", by="ann", reason="there is paper again")


async def test_a_handler_that_fails_once_is_asked_again() -> None:
    tries: list[int] = []
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="moody")
        async def moody(event: OrderEvent) -> None:
            tries.append(event.sequence)
            if len(tries) == 1:
                raise RuntimeError("not now")

        await placed(flow, "O1")
        await flow.settled()

        assert tries == [1, 1]
        assert await flow.container.effects().dead_letters.blocking("moody") == []


async def test_the_shipped_consumers_act_within_the_flow() -> None:
    async with OrderFlow.in_memory() as flow:
        effects = flow.container.effects()
        await effects.stock.set("R7", "F1", 3)

        await placed(flow, "enough")
        await flow.settled()
        await placed(flow, "short")
        await flow.settled()

        assert await effects.stock.get("R7", "F1") == 1
        assert (await flow.get_order("short")).cancel_reason == "out_of_stock"
        counts = await effects.analytics.by_state()
        assert (counts[OrderState.WAITING_FOR_SHIPPER], counts[OrderState.CANCELLED]) == (1, 1)
        notifications = await effects.notifications.of_orders(["enough"])
        assert {notification.recipient for notification in notifications} == {"customer:C1", "restaurant:R7"}


async def test_notifications_go_to_the_log_of_the_application_and_not_to_its_output(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def sent() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == "orderflow.notify"]

    caplog.set_level(logging.INFO, logger="orderflow.notify")
    async with OrderFlow.in_memory(consumers=["notifications"]) as flow:
        await placed(flow, "O1")
        await flow.settled()
        await eventually_async(lambda: len(sent()) == 2, that="customer and restaurant are notified")

    assert {record.getMessage() for record in sent()} == {"notification"}
    assert capfd.readouterr().out == ""


async def test_sqlite_keeps_orders_and_how_far_a_handler_came(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    handled: list[str] = []

    async def note(event: OrderEvent) -> None:
        handled.append(event.order_id)

    async with OrderFlow.open(url) as flow:
        flow.on("order.created", name="note")(note)
        await placed(flow, "O1")
        await flow.settled()

    async with OrderFlow.open(url) as flow:
        flow.on("order.created", name="note")(note)
        await placed(flow, "O2")
        await flow.settled()
        orders = [order.id for order in (await flow.list_orders()).orders]

    assert handled == ["O1", "O2"]
    assert orders == ["O2", "O1"]


async def test_given_settings_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_DATABASE_URL", "memory://")
    monkeypatch.setenv("ORDERFLOW_CURRENCY", "SEK")

    async with OrderFlow.open(currency="EUR") as flow:
        assert (flow.container.settings().database_url, flow.container.settings().currency) == ("memory://", "EUR")


async def test_in_memory_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_DATABASE_URL", "mysql://nonsense")

    async with OrderFlow.in_memory() as flow:
        assert flow.container.settings().database_url == "memory://"


@pytest.mark.parametrize("names", [["inventory", "kitchen"], ["Analytics"]])
async def test_an_unknown_consumer_is_refused(names: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"is no consumer; .*allowed: notifications, analytics, inventory"):
        async with OrderFlow.in_memory(consumers=names):
            pytest.fail("it opened")


@pytest.mark.parametrize("name", ["analytics", "mine"])
async def test_a_name_that_is_taken_is_refused(name: str) -> None:
    async def note(event: OrderEvent) -> None: ...

    async with OrderFlow.in_memory(consumers=()) as flow:
        flow.on(name="mine")(note)

        with pytest.raises(InvalidInput, match=f"'{name}' is taken"):
            flow.on(name=name)(note)


async def test_an_unknown_event_type_is_refused() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        with pytest.raises(InvalidInput, match=r"'order\.eaten' is unknown"):
            flow.on("order.eaten")


async def test_what_a_consumer_breaks_at_surfaces_while_waiting_and_at_the_end(mocker: MockerFixture) -> None:
    mocker.patch.object(LogEventSource, "read", autospec=True, side_effect=RuntimeError("the pipe broke"))

    opened = OrderFlow.in_memory(consumers=["analytics"])

    flow = await opened.__aenter__()
    await placed(flow, "O1")

    with pytest.raises(RuntimeError, match="the pipe broke"):
        await flow.settled()
    with pytest.raises(RuntimeError, match="the pipe broke"):
        await opened.__aexit__(None, None, None)


async def test_waiting_ends_at_its_deadline() -> None:
    release = asyncio.Event()
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="slow")
        async def slow(event: OrderEvent) -> None:
            await release.wait()

        await placed(flow, "O1")

        with pytest.raises(TimeoutError, match=r"after 0\.05 s, events are left for slow"):
            await flow.settled(timeout=0.05)
        release.set()


async def test_a_handler_that_raises_unavailable_is_called_until_it_works_and_named_meanwhile() -> None:
    calls, again = [], asyncio.Event()
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="printer")
        async def printer(event: OrderEvent) -> None:
            calls.append(event)
            if len(calls) > 1:
                again.set()
            raise Unavailable("no paper")  # without the second argument

        await placed(flow, "O1")
        await again.wait()

        with pytest.raises(TimeoutError, match="left for printer; the last failure is of printer: unavailable"):
            await flow.settled(timeout=0.05)
        assert await flow.container.effects().dead_letters.groups() == []


async def test_each_command_has_a_correlation_id_and_a_trace_of_its_own() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await placed(flow, "o1")
        await flow.assign_shipper("o1", "S1")

        first, *rest = [delivery.record for delivery in await flow.timeline("o1")]

    assert UUID(first.correlation_id).version == 7
    assert is_traceparent(first.traceparent)
    assert len({record.correlation_id for record in rest}) == len({record.traceparent for record in rest}) == 1
    assert rest[0].correlation_id != first.correlation_id


async def test_what_is_asked_together_shares_an_id() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        with flow.correlated("K1", traceparent=TRACE) as given:
            await placed(flow, "o1")
            await flow.assign_shipper("o1", "S1")
        with flow.correlated() as made:
            await placed(flow, "o2")

        ours = [(it.record.correlation_id, it.record.traceparent) for it in await flow.timeline("o1")]
        [other] = await flow.timeline("o2")

    assert set(ours) == {("K1", TRACE)}
    assert (given, other.record.correlation_id) == ("K1", made)
    assert UUID(made).version == 7


@pytest.mark.parametrize(
    "asked", [{"correlation_id": "two words"}, {"correlation_id": ""}, {"traceparent": "00-0-0-1"}]
)
async def test_an_id_that_is_none_is_refused(asked: dict[str, str]) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        with pytest.raises(InvalidInput), flow.correlated(**asked):
            pytest.fail("it was taken")


async def test_what_a_handler_asks_for_carries_the_id_of_its_event() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on("order.created")
        async def refuse(event: OrderEvent) -> None:
            await flow.cancel_order(event.order_id, "closed")

        with flow.correlated("K1", traceparent=TRACE):
            await placed(flow, "o1")
        await flow.settled()

        timeline = [
            (it.record.type, it.record.correlation_id, it.record.traceparent) for it in await flow.timeline("o1")
        ]

    assert timeline[-1] == ("order.cancelled", "K1", TRACE)


async def test_a_replay_to_a_handler_is_in_order_and_without_new_events() -> None:
    handled: list[tuple[str, int]] = []
    again, news, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="kitchen")
        async def handler(event: OrderEvent) -> None:
            handled.append((event.order_id, event.sequence))
            if len(handled) > 7:
                again.set()
                await go_on.wait()

        @flow.on(name="waiter")
        async def witness(event: OrderEvent) -> None:
            if event.order_id == "O2":
                news.set()

        await lived(flow, "O1")
        await flow.settled()
        replaying = asyncio.create_task(flow.replay("kitchen", "1", by="ann", reason="the printer was out of paper"))
        await again.wait()
        await placed(flow, "O2")
        await news.wait()
        go_on.set()
        replayed = await replaying
        await flow.settled()

    life = [("O1", sequence) for sequence in range(1, 8)]
    assert handled == [*life, *life, ("O2", 1)]
    assert (replayed.events, replayed.handled) == (7, 7)


async def test_only_a_consumer_that_there_is_can_be_replayed() -> None:
    async with OrderFlow.in_memory() as flow:
        await lived(flow, "O1")
        await flow.settled()

        with pytest.raises(InvalidInput, match="kitchen"):
            await flow.replay("kitchen", "1", by="ann", reason="no paper")
        replayed = await flow.replay("analytics", "order:O1", by="ann", reason="to be sure")

        assert replayed.handled == 7


async def test_waiting_raises_what_a_handler_failed_with_once_and_names_all_that_it_parked() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on("order.created", name="fragile")
        async def fragile(event: OrderEvent) -> None:
            raise ValueError(f"no paper for {event.order_id}")

        await placed(flow, "O1")
        await placed(flow, "O2")

        with pytest.raises(ValueError, match="no paper for O") as raised:
            await flow.settled()
        await flow.settled()

    assert sorted(raised.value.__notes__) == [
        "fragile has parked order O1: ValueError",
        "fragile has parked order O2: ValueError",
    ]


async def test_waiting_raises_what_a_consumer_failed_with(mocker: MockerFixture) -> None:
    mocker.patch.object(Analyse, "handle", autospec=True, side_effect=RuntimeError("no figures"))
    async with OrderFlow.in_memory(consumers=["analytics"]) as flow:
        await placed(flow, "O1")

        with pytest.raises(RuntimeError, match="no figures"):
            await flow.settled()


async def test_a_wait_that_ends_at_its_deadline_has_the_last_failure_as_its_cause() -> None:
    again = asyncio.Event()
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(name="slow")
        async def slow(event: OrderEvent) -> None:
            if again.is_set():
                await asyncio.Event().wait()
            again.set()
            raise RuntimeError("no paper")

        await placed(flow, "O1")
        await again.wait()

        with pytest.raises(TimeoutError) as raised:
            await flow.settled(timeout=0.05)
        flow._consumers._tasks["slow"].cancel()

    assert isinstance(raised.value.__cause__, RuntimeError)


class Printer:
    async def __call__(self, event: OrderEvent) -> None: ...


async def _without_event() -> None: ...


def _generator(event: OrderEvent) -> Iterator[None]:
    yield


async def _async_generator(event: OrderEvent) -> AsyncIterator[None]:
    yield


class _GeneratingPrinter:
    def __call__(self, event: OrderEvent) -> Iterator[None]:
        yield


async def _of_two(event: OrderEvent, more: str) -> None: ...


@pytest.mark.parametrize(
    "handler", [_without_event, _of_two, "print", Printer, _generator, _async_generator, _GeneratingPrinter()]
)
async def test_a_handler_that_cannot_be_called_with_an_event_is_refused(handler: Any) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        with pytest.raises(InvalidInput, match="a function of one event, `async def` or plain"):
            flow.on(name="mine")(handler)


@pytest.mark.parametrize("handler", [Printer(), partial(_of_two, more="x"), Printer().__call__])
async def test_every_kind_of_coroutine_function_is_a_handler(handler: Any) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        flow.on()(handler)

        await placed(flow, "O1")
        await flow.settled()


async def test_a_plain_function_runs_on_a_thread_within_the_request_of_its_event() -> None:
    handled: list[tuple[str, str, bool]] = []
    async with OrderFlow.in_memory(consumers=()) as flow:

        @flow.on(OrderCreated)
        def note(event: OrderCreated) -> None:
            on_thread = threading.current_thread() is not threading.main_thread()
            handled.append((event.restaurant_id, current_request().correlation_id, on_thread))

        with flow.correlated("c-1"):
            await placed(flow, "O1")
        await flow.settled()

    assert handled == [("R7", "c-1", True)]


def _started(handler: Any, event: OrderEvent) -> Any:
    """Return a coroutine, which a plain function may return and the caller has to await."""
    return handler(event)


async def test_a_plain_function_that_returns_a_coroutine_is_called_to_its_end() -> None:
    handled: list[str] = []
    async with OrderFlow.in_memory(consumers=()) as flow:

        async def note(event: OrderEvent) -> None:
            handled.append(event.order_id)

        flow.on("order.created", name="indirect")(partial(_started, note))
        await placed(flow, "O1")
        await flow.settled()

    assert handled == ["O1"]


async def test_a_handler_may_begin_now() -> None:
    handled: list[str] = []

    async def note(event: OrderCreated) -> None:
        handled.append(event.order_id)

    async with OrderFlow.in_memory(consumers=()) as flow:
        await placed(flow, "O1")
        flow.on(OrderCreated, name="later", start="now")(note)
        await flow.settled()
        await placed(flow, "O2")
        await flow.settled()

    assert handled == ["O2"]


async def test_a_handler_that_began_now_goes_on_where_it_was(tmp_path: Path) -> None:
    url, handled = f"sqlite:///{tmp_path / 'orders.db'}", list[str]()

    async def note(event: OrderCreated) -> None:
        handled.append(event.order_id)

    async with OrderFlow.open(url) as flow:
        flow.on(OrderCreated, name="later", start="now")(note)
        await flow.settled()
    async with OrderFlow.open(url) as flow:
        await placed(flow, "O2")
        flow.on(OrderCreated, name="later", start="now")(note)
        await flow.settled()

    assert handled == ["O2"]


async def test_a_handler_may_take_batches() -> None:
    handled: list[list[str]] = []
    async with OrderFlow.in_memory(consumers=()) as flow:
        for number in range(20):
            await placed(flow, f"O{number}")

        @flow.on(OrderCreated, batch=True)
        async def note(events: Sequence[OrderCreated]) -> None:
            handled.append([event.order_id for event in events])

        await flow.settled()

    assert sorted(order for batch in handled for order in batch) == sorted(f"O{number}" for number in range(20))
    assert len(handled) < 20


async def test_a_batch_that_fails_parks_only_the_orders_that_fail() -> None:
    handled: list[str] = []
    async with OrderFlow.in_memory(consumers=()) as flow:
        for number in range(20):
            await placed(flow, f"O{number}")

        @flow.on(OrderCreated, batch=True, name="bulk")
        def note(events: Sequence[OrderCreated]) -> None:
            if any(event.order_id == "O7" for event in events):
                raise RuntimeError("no paper")
            handled.extend(event.order_id for event in events)

        with pytest.raises(RuntimeError, match="no paper"):
            await flow.settled()
        parked = await flow.container.effects().dead_letters.blocking("bulk")

    assert [each.record.order_id for each in parked] == ["O7"]
    assert sorted(handled) == sorted(f"O{number}" for number in range(20) if number != 7)


async def test_a_failing_event_in_a_batch_is_tried_three_times_and_the_others_once() -> None:
    handled: list[str] = []
    async with OrderFlow.in_memory(consumers=()) as flow:
        for number in range(20):
            await placed(flow, f"O{number}")

        @flow.on(OrderCreated, name="fragile")
        async def note(event: OrderCreated) -> None:
            handled.append(event.order_id)
            if event.order_id == "O7":
                raise RuntimeError("no paper")

        with pytest.raises(RuntimeError, match="no paper"):
            await flow.settled()

    assert Counter(handled) == {f"O{number}": 1 for number in range(20)} | {"O7": 3}


@pytest.mark.parametrize(
    "given", [{"start": "later"}, {"start": None}, {"batch": 5}, {"batch": None}, {"name": "two words"}]
)
async def test_options_of_a_handler_that_mean_nothing_are_refused(given: dict[str, Any]) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        with pytest.raises(InvalidInput):
            flow.on(OrderCreated, **given)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"currancy": "EUR"}, "currancy: there is no such setting; did you mean currency"),
        ({"settings": Settings(), "currency": "EUR"}, "given together with Settings"),
        ({"settings": Path("orders.db")}, "it is a PosixPath"),
        ({"settings": "memory://", "database_url": "memory://"}, "given twice"),
    ],
)
async def test_arguments_that_would_be_ignored_are_refused(given: dict[str, Any], refused: str) -> None:
    with pytest.raises(InvalidInput, match=refused):
        async with OrderFlow.open(**given):
            pytest.fail("it opened")
