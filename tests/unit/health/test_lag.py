"""The lag of readers in events, and the age of the oldest event that waits."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.event_log.readers import Readers
from orderflow.application.event_log.records import bucket_of
from orderflow.application.health.lag import Lag, ReaderLag
from orderflow.application.operator_note import OperatorNote
from orderflow.testing.orders import placed

from tests.unit.domain.actors import AT

WORD = OperatorNote(by="tests", reason="to see", at=AT)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def lag(storage: MemoryStorage) -> Lag:
    readers = Readers(storage.cursors, ("analytics",), True)
    return Lag(storage.log, storage.cursors, readers, storage.rollout, storage.buckets)


async def lags(lag: Lag) -> Mapping[str, ReaderLag]:
    return {each.reader: each for each in await lag()}


async def test_a_reader_is_at_the_sum_of_its_cursors(storage: MemoryStorage, lag: Lag) -> None:
    for order_id in ("o1", "o2"):
        await placed(storage, order_id)

    await storage.cursors.put("relay", {bucket_of("o1"): 1})

    assert ((await lags(lag))["relay"].position, (await lags(lag))["relay"].events) == (1, 1)


async def test_who_waits_for_nothing_has_no_oldest_event(storage: MemoryStorage, lag: Lag) -> None:
    await placed(storage, "o1")
    await storage.cursors.put("relay", await storage.log.heads())
    await storage.cursors.put("analytics", await storage.log.heads())

    assert await lag.oldest() == {}


async def test_the_oldest_event_is_the_oldest_of_those_that_come_next(storage: MemoryStorage, lag: Lag) -> None:
    for minutes, order_id in enumerate(("o1", "o2", "o3")):
        await placed(storage, order_id, at=AT + timedelta(minutes=minutes))
    await storage.cursors.put("relay", {bucket_of("o1"): 1})

    oldest = await lag.oldest()

    assert oldest == {"relay": AT + timedelta(minutes=1), "analytics": AT}


async def test_held_back_events_are_not_pending(storage: MemoryStorage, lag: Lag) -> None:
    await placed(storage, "o1")

    await storage.rollout.set_share(0, WORD)

    assert await lag.oldest() == {}
    assert (await lags(lag))["relay"].held == 1
