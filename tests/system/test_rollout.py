"""The share goes up, down and up again while a day is lived on real servers: what is held back is never lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from attrs import define, field
from orderflow.adapters.kafka import KafkaSettings
from orderflow.application.health.lag import ReaderLag
from orderflow.application.maintenance.maintenance_log import ROLLOUT
from orderflow.application.rollout.rollout import RolloutState
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened

from tests.conftest import FIGURE
from tests.integration.kafka.conftest import TopicRecord, on_topic
from tests.support.kafka import KafkaBroker
from tests.support.stack import Stack
from tests.support.waiting import eventually_async

ORDERS = 70
STEPS = 50
"""Steps of the day at each share."""
WORD = {"by": "ann", "reason": "the rollout of this test"}


@define
class InParts:
    """A day that goes on only as far as it is allowed to."""

    pace: VirtualPace
    allowed: int = 0
    taken: int = 0
    _more: asyncio.Condition = field(factory=asyncio.Condition, init=False)

    async def until(self, second: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self.taken < self.allowed)
            self.taken += 1
        await self.pace.until(second)

    async def allow(self, steps: int) -> None:
        async with self._more:
            self.allowed += steps
            self._more.notify_all()


@define
class Rollout:
    """A day on a running installation, whose share is changed while it is lived."""

    stack: Stack
    container: Any
    day: InParts
    seen_after: list[float] = field(factory=list)
    """The seconds from each change until the relay logged it."""

    def topic(self) -> Sequence[TopicRecord]:
        """Everything that stands there now."""
        return on_topic(KafkaSettings(bootstrap_servers=self.stack.bootstrap_servers, topic=self.stack.topic))

    async def publish(self, percent: int) -> None:
        """Set the share, and wait until the relay says that it goes by it."""
        before = len(self._logged())
        await self.container.set_publishing_share()(percent, **WORD)
        changed_at = datetime.now(UTC)
        seen = await eventually_async(
            lambda: [line for line in self._logged()[before:] if line["percent"] == percent],
            that=f"the relay sees {percent} %",
        )
        self.seen_after.append((datetime.fromisoformat(seen[0]["time"]) - changed_at).total_seconds())

    async def live_on(self, steps: int = STEPS) -> None:
        """Live so many more steps of the day."""
        await self.day.allow(steps)
        await eventually_async(lambda: self.day.taken >= self.day.allowed, that="the day goes on")

    async def relay(self) -> ReaderLag:
        found: Sequence[ReaderLag] = await self.container.lag()()
        return next(each for each in found if each.reader == "relay")

    async def caught_up(self) -> None:
        """Wait until relay and consumers have come to all that the share lets through."""

        async def nothing_is_pending() -> bool:
            return not any(each.pending for each in await self.container.lag()())

        await eventually_async(nothing_is_pending, every=0.1)

    def _logged(self) -> list[Mapping[str, Any]]:
        lines = (self.stack.folder / "relay.log").read_text().splitlines()
        return [json.loads(line) for line in lines if '"percent"' in line]


@pytest.fixture
def stack(tmp_path: Path, migrated_url: str, kafka: KafkaBroker, topic_name: str) -> Iterator[Stack]:
    """A migrated database, a topic, and a relay as a process of its own."""
    kafka.create_topic(topic_name)
    stack = Stack(
        tmp_path,
        migrated_url,
        kafka.bootstrap_servers,
        topic_name,
        settings={"ORDERFLOW_LOG_LEVEL": "info"},
    )
    stack.start("relay")
    yield stack
    stack.processes["relay"].stop()


@pytest.fixture
async def rollout(stack: Stack) -> AsyncIterator[Rollout]:
    """The day's orders and the consumers live in this process."""
    clock, stop = VirtualClock(), asyncio.Event()
    settings = Settings(
        database_url=stack.database_url,
        kafka_bootstrap_servers=stack.bootstrap_servers,
        topic=stack.topic,
        payment_gateway="sandbox",
    )
    container = container_for(settings, clock=clock)
    async with opened(container):
        consumers = asyncio.create_task(run_parts(container, consumers=CONSUMERS, stop=stop))
        yield Rollout(stack, container, InParts(VirtualPace(clock)))
        stop.set()
        container.news().notify()
        await consumers


async def test_the_share_goes_up_and_down_during_a_day_and_every_event_comes_once_and_in_order(
    rollout: Rollout, record_property: Callable[[str, object], None]
) -> None:
    container = rollout.container
    await rollout.publish(0)
    day = asyncio.create_task(
        RunDay(InProcessOrderClient(container.use_cases()), rollout.day)(generate_day(ORDERS, 11))
    )

    for percent in (0, 10, 50, 100):
        if percent:
            await rollout.publish(percent)
        await rollout.live_on()
        await rollout.caught_up()
        reached = {seen.address[0] for seen in rollout.topic()}
        assert reached <= set(range(RolloutState(percent).published_buckets(256)))
        assert bool(reached) is bool(percent)
    await rollout.publish(0)
    before = rollout.topic()
    await rollout.live_on()
    held, while_held = await rollout.relay(), await container.check()()
    after = rollout.topic()
    await rollout.publish(100)
    await rollout.day.allow(1_000_000)
    await day
    await rollout.caught_up()
    report, heads = await container.check()(), await container.storage().log.heads()

    assert (held.events, len(after)) == (0, len(before))
    assert while_held.clean, while_held
    assert f"held back: {held.held} events, as the buckets from 0 on are not published" in while_held.notes
    assert report.clean, report
    assert report.notes == []
    assert not any(each.skipped for each in report.comparisons)
    assert_each_once_and_in_order(rollout.topic(), heads)
    history = await container.storage().maintenance_log.history(limit=10, kinds=ROLLOUT)
    assert [(change.before, change.after) for change in reversed(history)] == [
        (100, 0), (0, 10), (10, 50), (50, 100), (100, 0), (0, 100)
    ]  # fmt: skip
    record_property(
        FIGURE, f"a change of the share: seen by the relay after {median(rollout.seen_after):.2f} s (median)"
    )


def assert_each_once_and_in_order(topic: Sequence[TopicRecord], heads: Mapping[int, int]) -> None:
    """Within a partition offsets ascend: there each bucket's positions and each order's sequences are dense from 1."""
    positions: dict[int, list[int]] = {}
    sequences: dict[str, list[int]] = {}
    for seen in topic:
        bucket, position = seen.address
        positions.setdefault(bucket, []).append(position)
        sequences.setdefault(seen.key, []).append(int(seen.headers["sequence"]))
    assert positions == {bucket: list(range(1, head + 1)) for bucket, head in heads.items()}
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())
