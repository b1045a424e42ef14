"""An observation shows what can be seen, says what does not answer, and waits for no server for long."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from orderflow.adapters.memory import MemoryConsumerStores, MemoryStorage
from orderflow.adapters.memory.health import MemoryHealth
from orderflow.application.event_log.readers import Readers
from orderflow.application.health.facts import ConnectionFailure, DatabaseFacts, FailureReason, StreamFacts
from orderflow.application.health.lag import Lag
from orderflow.application.health.observation import Observation
from orderflow.application.health.observe import Observe
from orderflow.domain.errors import StorageUnavailable
from orderflow.testing.orders import placed
from orderflow.testing.processes import process

from tests.unit.domain.actors import AT
from tests.unit.health.observations import POSTGRESQL, STREAM


class Watch:
    """Returns the facts that it was given; ``hanging``: never returns."""

    def __init__(self, there: Any = None, *, hanging: bool = False) -> None:
        self.there, self.hanging, self.clocks = there, hanging, []

    async def facts(self, *, clock: bool = False) -> Any:
        self.clocks.append(clock)
        if self.hanging:
            await asyncio.Event().wait()
        return self.there

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def observe(storage: MemoryStorage) -> Observe:
    effects = MemoryConsumerStores(storage.cursors)
    readers = Readers(storage.cursors, ("analytics",), False)
    return Observe(
        database=MemoryHealth(),
        stream=Watch(STREAM),
        storage=storage,
        log=storage.log,
        processes=storage.processes,
        tokens=storage.tokens,
        prices=storage.prices,
        rollout=storage.rollout,
        epochs=storage.epochs,
        dead_letters=effects.dead_letters,
        payments=storage.attempts,
        notifications=effects.notifications,
        webhooks=effects.webhooks,
        lag=lambda: Lag(storage.log, storage.cursors, readers, storage.rollout, storage.buckets),
        clock=lambda: datetime.now(UTC),
        patience=0.05,
    )


async def test_all_facts_are_read(observe: Observe, storage: MemoryStorage) -> None:
    await placed(storage, "o1")
    await storage.processes.heartbeat(process(), datetime.now(UTC))

    observation = await observe()

    assert isinstance(observation.database, DatabaseFacts)
    assert isinstance(observation.stream, StreamFacts)
    assert (observation.head, observation.parked, observation.tokens) == (1, {}, False)
    assert [known.process.id for known in observation.processes or ()] == ["p1"]
    assert [(lag.reader, lag.events) for lag in observation.readers or ()] == [("analytics", 1)]
    assert observation.waiting is not None
    assert observation.waiting["analytics"] == pytest.approx((datetime.now(UTC) - AT).total_seconds(), abs=60)
    assert not observation.unanswered


async def test_a_kafka_that_hangs_is_named_and_the_rest_is_read(observe: Observe) -> None:
    observation = await evolve(observe, stream=Watch(hanging=True))()

    assert observation.stream == ConnectionFailure(FailureReason.TIMEOUT, "nothing within 0.05 s")
    assert observation.unanswered == {"kafka": "no answer in time: nothing within 0.05 s"}
    assert observation.head == 0


async def test_a_database_that_hangs_is_named_and_kafka_is_read(observe: Observe) -> None:
    observation = await evolve(observe, database=Watch(hanging=True))()

    assert isinstance(observation.database, ConnectionFailure)
    assert isinstance(observation.stream, StreamFacts)
    assert list(observation.unanswered) == ["database"]
    assert observation.processes is None


async def test_nothing_is_asked_of_another_schema(observe: Observe) -> None:
    observation = await evolve(observe, database=Watch(evolve(POSTGRESQL, schema="0001")))()

    assert observation.unanswered == {
        "schema": "the schema is at 0001, this program needs 0004; see `orderflow doctor`"
    }
    assert observation.head is None


async def test_one_question_without_answer_costs_no_other(observe: Observe) -> None:
    class Broken:
        async def parked(self) -> Any:
            raise StorageUnavailable("postgresql", "the disk is full")

        async def latest(self, limit: int) -> Sequence[Any]:
            raise LookupError("a secret")

    observation = await evolve(observe, dead_letters=Broken())()

    assert observation.unanswered == {
        "parked": "failed: postgresql does not answer: the disk is full",
        "latest": "failed: LookupError; the log has more",
    }
    assert (observation.parked, observation.latest, observation.head) == (None, None, 0)


async def test_a_storage_that_cannot_be_opened_is_named(observe: Observe) -> None:
    class ClosedStorage:
        async def open(self) -> None:
            raise StorageUnavailable("postgresql", "starting up")

    observation = await evolve(observe, storage=ClosedStorage())()

    assert observation.unanswered == {"storage": "failed: postgresql does not answer: starting up"}


async def test_without_kafka_there_is_none_to_answer(observe: Observe) -> None:
    observation = await evolve(observe, stream=None)()

    assert (observation.stream, observation.unanswered) == (None, {})


async def test_kafkas_clock_is_asked_for_only_where_it_is_wanted(observe: Observe) -> None:
    watch = Watch(STREAM)
    looking = evolve(observe, stream=watch)

    await looking()
    await looking(thorough=True)

    assert watch.clocks == [False, True]


def test_a_process_that_is_gone_runs_nothing() -> None:
    from tests.unit.health.observations import known

    observation = Observation(at=AT, database=POSTGRESQL, processes=[known("relay", silent=31.0), known("api")])

    assert (observation.runs("relay"), observation.runs("api")) == (False, True)
