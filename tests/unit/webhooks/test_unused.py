"""The consumer webhooks does nothing until an endpoint is added."""

from orderflow import OrderFlow, StorageUnavailable
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.webhooks.endpoint import WEBHOOKS
from orderflow.application.webhooks.record_deliveries import NeverUsed
from orderflow.testing.consumers.webhook_receiver import Receiver
from pytest_mock import MockerFixture

from tests.doors.entrypoints.test_embedded import pizzas
from tests.support.waiting import eventually_async


async def test_without_an_endpoint_it_has_no_cursor_and_is_not_missing(sqlite_url: str) -> None:
    async with OrderFlow.open(sqlite_url, consumers=["analytics", WEBHOOKS]) as flow:
        await flow.create_order(customer_id="C1", restaurant_id="R7", lines=pizzas(), currency="EUR")
        await flow.settled()

        lags = await flow.container.lag()()
        cursors = await flow.container.storage().cursors.positions(WEBHOOKS)

    assert [lag.reader for lag in lags] == ["notifications", "analytics", "inventory"]
    assert cursors == {}


async def test_with_the_first_endpoint_it_begins_at_the_end_of_the_log(sqlite_url: str) -> None:
    async with (
        Receiver() as receiver,
        OrderFlow.open(sqlite_url, consumers=[WEBHOOKS], webhook_private_addresses=True) as flow,
    ):
        before = await flow.create_order(customer_id="C1", restaurant_id="R7", lines=pizzas(), currency="EUR")
        _, receiver.secret = await flow.container.change_endpoints().add(receiver.url)
        after = await flow.create_order(customer_id="C1", restaurant_id="R7", lines=pizzas(), currency="EUR")
        await eventually_async(lambda: receiver.received, that="the event has arrived")
        await flow.settled()
        lags = {lag.reader: lag.events for lag in await flow.container.lag()()}

    assert receiver.accepted() == {after.id: [1]}
    assert before.id != after.id
    assert receiver.received[0].verified
    assert lags[WEBHOOKS] == 0


async def test_the_first_endpoint_puts_its_cursors_at_the_end_of_the_log(sqlite_url: str) -> None:
    async with OrderFlow.open(sqlite_url) as flow:
        await flow.create_order(customer_id="C1", restaurant_id="R7", lines=pizzas(), currency="EUR")

        await flow.container.change_endpoints().add("https://hooks.example/")

        cursors = await flow.container.storage().cursors.positions(WEBHOOKS)
        heads = await flow.container.storage().log.heads()
    assert {bucket: at for bucket, at in cursors.items() if at} == heads


async def test_it_is_looked_for_once_a_second() -> None:
    storage, now = MemoryStorage(), [0.0]
    unused = NeverUsed(storage.cursors, lambda: now[0])
    first = await unused()
    await storage.cursors.put(WEBHOOKS, {1: 0})

    at_once = await unused()
    now[0] = 1.0
    later = await unused()

    assert (first, at_once, later) == (True, True, False)


async def test_an_unavailable_storage_ends_nothing_and_is_asked_again(mocker: MockerFixture) -> None:
    cursors, now = mocker.AsyncMock(), [0.0]
    cursors.positions.side_effect = [StorageUnavailable("postgresql", "it is away"), {1: 0}]
    unused = NeverUsed(cursors, lambda: now[0])
    first = await unused()
    now[0] = 1.0

    later = await unused()

    assert (first, later) == (True, False)
