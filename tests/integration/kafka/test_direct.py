"""Publishing straight to Kafka after the commit: the order is kept in any case, and what Kafka missed is counted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from attrs import evolve
from orderflow.adapters import wire
from orderflow.adapters.kafka import DirectPublishing, KafkaSettings
from orderflow.adapters.kafka.settings import ClientObserver
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.event_log.records import BUCKETS, LogRecord, bucket_of
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.domain.errors import StorageUnavailable
from orderflow.domain.events import OrderEvent, event_id
from orderflow.testing import EventPublisherContract
from orderflow.testing.event_publisher import Published
from pytest_mock import MockerFixture

from tests.support.servers import free_port

from .conftest import on_topic
from .relay_program import life


@pytest.fixture
async def direct(kafka_settings: KafkaSettings) -> AsyncIterator[DirectPublishing]:
    direct = DirectPublishing(kafka_settings, timeout=120.0)
    yield direct
    await direct.close()


def unit_of_work(storage: MemoryStorage, direct: DirectPublishing) -> WriteSetUnitOfWork:
    return WriteSetUnitOfWork(committer=GroupCommit(storage.committer), read=storage.views.get, events=direct.publisher)


class TestDirectPublishing(EventPublisherContract):
    @pytest.fixture
    def unit_of_work(self, direct: DirectPublishing) -> WriteSetUnitOfWork:
        return unit_of_work(MemoryStorage(), direct)

    @pytest.fixture
    def published(self, direct: DirectPublishing, kafka_settings: KafkaSettings) -> Published:
        async def published() -> Sequence[OrderEvent]:
            return [
                wire.decode(each.value, sequence=int(each.headers["sequence"])) for each in on_topic(kafka_settings)
            ]

        return published


async def test_events_stand_on_the_topic_when_the_command_returns(
    direct: DirectPublishing, kafka_settings: KafkaSettings
) -> None:
    events = life(1)

    async with unit_of_work(MemoryStorage(), direct)() as work:
        work.events.publish(*events[:3])
        work.events.publish(events[3])

    seen = on_topic(kafka_settings)
    assert [(each.key, each.value) for each in seen] == [("order-1", wire.encode(event)) for event in events]
    assert [each.headers["sequence"] for each in seen] == ["1", "2", "3", "4"]
    assert (direct.sent, direct.failed) == (4, 0)


async def test_they_have_every_header_but_the_address_in_the_log(
    direct: DirectPublishing, kafka_settings: KafkaSettings
) -> None:
    async with unit_of_work(MemoryStorage(), direct)() as work:
        work.events.publish(*life(1)[:1])

    (seen,) = on_topic(kafka_settings)

    names = {name for name, _ in wire.headers(wire.record(life(1)[0], bucket=1, position=1), source="/")}
    assert set(seen.headers) == names - {"bucket", "position", "epoch"}


async def test_nothing_is_sent_of_what_is_not_committed(
    direct: DirectPublishing, kafka_settings: KafkaSettings
) -> None:
    async def fails_after_publishing() -> None:
        async with unit_of_work(MemoryStorage(), direct)() as work:
            work.events.publish(*life(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails_after_publishing()

    assert on_topic(kafka_settings) == []


async def test_without_kafka_the_order_is_kept_and_the_loss_is_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nowhere = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    storage, direct = MemoryStorage(), DirectPublishing(nowhere, timeout=0.3)

    async with unit_of_work(storage, direct)() as work:
        work.events.publish(*life(1))

    assert len(await storage.log.history("order-1")) == 4
    assert (direct.sent, direct.failed) == (0, 4)
    lost = [vars(record) for record in caplog.records if record.message == "event not published"]
    errors = [(line["order_id"], line["event_id"]) for line in lost]
    assert sorted(errors) == sorted(("order-1", event_id("order-1", n)) for n in (1, 2, 3, 4))
    await direct.close()


async def test_orders_that_the_share_holds_back_are_in_the_history_alone(kafka_settings: KafkaSettings) -> None:
    storage = MemoryStorage()
    direct = DirectPublishing(kafka_settings, timeout=120.0, share=_share(bucket_of("order-1") + 1))
    orders = [number for number in range(1, 200) if bucket_of(f"order-{number}") != bucket_of("order-1")]
    other = next(number for number in orders if bucket_of(f"order-{number}") > bucket_of("order-1"))

    for number in (1, other):
        async with unit_of_work(storage, direct)() as work:
            work.events.publish(*life(number))

    assert {each.key for each in on_topic(kafka_settings)} == {"order-1"}
    assert len(await storage.log.history(f"order-{other}")) == 4
    assert (direct.sent, direct.held, direct.failed) == (4, 4, 0)
    await direct.close()


async def test_a_share_that_cannot_be_asked_for_stays_as_it_was(kafka_settings: KafkaSettings) -> None:
    share = _share(BUCKETS, StorageUnavailable("database", "away"))
    direct = DirectPublishing(kafka_settings, timeout=120.0, share=share)

    for events in (life(1)[:2], life(1)[2:]):
        async with unit_of_work(MemoryStorage(), direct)() as work:
            work.events.publish(*events)

    assert (direct.sent, direct.held) == (4, 0)
    await direct.close()


def _share(*answers: int | Exception) -> Callable[[], Awaitable[int]]:
    """Answers one after the other, the last one for ever."""
    left = list(answers)

    async def share() -> int:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return share


async def test_the_observer_of_clients_learns_that_the_producer_is_closed(
    kafka_settings: KafkaSettings, mocker: MockerFixture
) -> None:
    observer = mocker.create_autospec(ClientObserver, instance=True)
    direct = DirectPublishing(evolve(kafka_settings, observer=observer), timeout=120.0)
    async with unit_of_work(MemoryStorage(), direct)() as work:
        work.events.publish(life(1)[0])
    observer.closed.assert_not_called()

    await direct.close()

    observer.closed.assert_called_once_with("direct")


async def test_an_observer_gets_each_unit_of_work_and_its_outcome(kafka_settings: KafkaSettings) -> None:
    outcomes: list[tuple[list[str], list[bool], bool]] = []

    def watch(records: Sequence[LogRecord], delivered: Sequence[bool], seconds: float) -> None:
        outcomes.append(([record.type for record in records], list(delivered), seconds > 0))

    direct = DirectPublishing(kafka_settings, timeout=120.0, on_published=watch)
    async with unit_of_work(MemoryStorage(), direct)() as work:
        work.events.publish(*life(1)[:2])
    await direct.close()

    assert outcomes == [([event.type for event in life(1)[:2]], [True, True], True)]
