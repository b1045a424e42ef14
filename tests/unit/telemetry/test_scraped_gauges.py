"""A scrape exposes the current state, and all the rest if a server does not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from attrs import define, field
from orderflow import Money, OrderFlow, OrderLine
from orderflow.adapters.telemetry import Instruments, Scrape, States
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.application.event_log.records import bucket_of
from orderflow.domain.errors import StorageUnavailable, StreamUnavailable
from pytest_mock import MockerFixture

from tests.support.metrics import Samples

PIZZA = OrderLine(food_id="F1", food_name="Pizza", price=Money("9.00", "EUR"), quantity=1, discount=Money("0", "EUR"))


@define
class Installation:
    """The states of ``flow``, where ``replaced`` parts may stand in for its own."""

    flow: OrderFlow
    replaced: Mapping[str, Any] = field(factory=dict)
    scrape: Scrape = field(init=False)

    def __attrs_post_init__(self) -> None:
        container = self.flow.container
        parts = {
            "instruments": Instruments(),
            "lag": container.lag,
            "log": container.storage().log,
            "orders": container.storage().views,
            "dead_letters": container.effects().dead_letters,
            "payments": container.storage().attempts,
            "notifications": container.effects().notifications,
            "webhooks": container.effects().webhooks,
            "clock": container.clock(),
            "shipped": ("analytics",),
            "patience": 0.2,
            **self.replaced,
        }
        self.scrape = Scrape(parts["instruments"], States(**parts))

    async def now(self) -> Samples:
        text, _ = await self.scrape()
        return Samples.of(text.decode())


async def two_orders(flow: OrderFlow) -> None:
    """Three events: o1 waits, o2 is being prepared."""
    for order_id in ("o1", "o2"):
        await flow.create_order(customer_id="C1", restaurant_id="R1", lines=[PIZZA], currency="EUR", order_id=order_id)
    await flow.transition_order_state("o2", "preparing")


def _partitions(outcome: int | Exception) -> Callable[[], Awaitable[int]]:
    async def ask() -> int:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return ask


async def test_open_orders_and_what_consumers_have_yet_to_handle_are_exposed() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await two_orders(flow)

        seen = await Installation(flow).now()

    assert seen.by(catalogue.ORDERS, "state") == {"waiting_for_shipper": 1, "preparing": 1}
    assert seen.by(catalogue.ORDERS_OLDEST, "state").keys() == {"waiting_for_shipper", "preparing"}
    assert seen.total(catalogue.LAG, consumer="analytics") == 3
    assert seen.total(catalogue.LAG_SECONDS, consumer="analytics") > 0
    assert seen.total(catalogue.LOG_EVENTS) == 3
    assert seen.total(catalogue.DATABASE_UP) == 1
    assert seen.samples[catalogue.PARKED.name] == [({"consumer": "analytics"}, 0)]
    assert catalogue.PARTITION_EVENTS.name not in seen.samples


async def test_events_are_exposed_by_partition_with_their_skew() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await two_orders(flow)

        seen = await Installation(flow, {"partitions": _partitions(2)}).now()

    expected = {"0": 0, "1": 0}
    for order_id, events in (("o1", 1), ("o2", 2)):
        expected[str(bucket_of(order_id) % 2)] += events
    assert seen.by(catalogue.PARTITION_EVENTS, "partition") == {p: many for p, many in expected.items() if many}
    assert seen.total(catalogue.PARTITION_SKEW) == pytest.approx(max(expected.values()) / 1.5)


async def test_a_kafka_that_does_not_answer_is_counted_and_the_rest_is_exposed() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await two_orders(flow)
        asked = Installation(flow, {"partitions": _partitions(StreamUnavailable("Kafka", "gone"))})

        await asked.now()
        seen = await asked.now()

    assert seen.by(catalogue.SCRAPE_ERRORS, "backend") == {"kafka": 2}
    assert catalogue.PARTITION_EVENTS.name not in seen.samples
    assert (seen.total(catalogue.DATABASE_UP), seen.total(catalogue.LAG, consumer="analytics")) == (1, 3)


class Broken:
    """A port of which every method fails, or never answers."""

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: Any) -> Any:
            if self.failure is None:
                await asyncio.Event().wait()
            raise self.failure or AssertionError

        return fail


@pytest.mark.parametrize(
    "failure", [StorageUnavailable("memory", "gone"), None, RuntimeError("a fault")], ids=["away", "silent", "a fault"]
)
async def test_a_database_that_does_not_answer_is_counted_and_the_rest_is_exposed(failure: Exception | None) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        asked = Installation(flow, {"orders": Broken(failure), "dead_letters": Broken(failure)})
        asked.scrape.instruments.add(catalogue.CREATED)

        seen = await asked.now()

    assert seen.by(catalogue.SCRAPE_ERRORS, "backend") == {"database": 1}
    assert seen.total(catalogue.DATABASE_UP) == 0
    assert catalogue.ORDERS.name not in seen.samples
    assert seen.total(catalogue.CREATED) == 1


async def test_the_number_of_partitions_is_asked_once_in_a_while() -> None:
    times = 0

    async def ask() -> int:
        nonlocal times
        times += 1
        return 3

    async with OrderFlow.in_memory(consumers=()) as flow:
        asked = Installation(flow, {"partitions": ask})
        for _ in range(3):
            await asked.now()

    assert times == 1


@pytest.mark.parametrize(
    ("accept", "content_type"), [("", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")]
)
async def test_the_form_is_the_one_that_is_accepted(accept: str, content_type: str) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        text, returned_type = await Installation(flow).scrape(accept)

    assert returned_type.startswith(content_type)
    assert (b"# EOF" in text) == (content_type != "text/plain")
    assert b"_created{" not in text


async def test_while_kafka_is_away_one_scrape_a_minute_waits_for_it(mocker: MockerFixture) -> None:
    clock = mocker.patch("orderflow.adapters.telemetry.metrics.scraped_gauges.monotonic", return_value=1000.0)
    ask = mocker.AsyncMock(side_effect=[2, StreamUnavailable("Kafka", "gone"), 2])
    async with OrderFlow.in_memory(consumers=()) as flow:
        await two_orders(flow)
        asked = Installation(flow, {"partitions": ask})
        await asked.now()

        clock.return_value += 61
        missed, known = await asked.now(), await asked.now()

    assert ask.await_count == 2
    assert not missed.by(catalogue.PARTITION_EVENTS, "partition")
    assert known.total(catalogue.PARTITION_EVENTS) == 3
