"""A shipped consumer writes a batch of any size in the same number of statements."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import define, field
from orderflow.adapters import wire
from orderflow.adapters.notifications.log import LogChannel
from orderflow.adapters.notifications.templates import FileMessageTemplates
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.consuming import run_consumer
from orderflow.application.consuming.log_source import LogEventSource
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import BUCKETS, LogRecord
from orderflow.application.inventory.keep_stock import KeepStock
from orderflow.application.notifications.notify import Notify
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.write_set import WriteSet
from orderflow.application.recovery.restore_guard import RestoreGuard
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.consumers.world import World

from tests.support.statements import Statements

WARM_UP, FEW, MANY = 12, 10, 1_000
ORDERS = (WARM_UP + FEW + MANY) // 7  # each has seven events

WAITS = 20


@define
class _Waits:
    """A wakeup that nothing comes from; the consumer is stopped when it has waited so often."""

    stop: asyncio.Event
    waits: int = field(default=0, init=False)

    def notify(self) -> None:
        """Do nothing."""

    async def wait(self, at_most: float) -> None:
        self.waits += 1
        if self.waits == WAITS:
            self.stop.set()


def analytics(world: World) -> Any:
    return Analyse()


def notifications(world: World) -> Any:
    return Notify(
        [LogChannel(logging.getLogger("test"))], FileMessageTemplates(), world.effects.notifications, world.clock
    )


def inventory(world: World) -> Any:
    return KeepStock(world.effects.shortages, Shop().cancel, world.clock)


@pytest.mark.parametrize("consumer", [analytics, notifications, inventory])
async def test_a_batch_of_1000_events_costs_as_many_statements_as_one_of_10(
    world: World, consumer: Callable[[World], Any]
) -> None:
    records, settled = await _logged(world), consumer(world)
    await world.effects.stock.set("R1", "F1", 10 * ORDERS)
    await world.storage.cursors.put(settled.name, dict.fromkeys(range(BUCKETS), 0))
    guard = RestoreGuard(world.storage.log, world.storage.epochs)
    handle = world.handling(settled, restore_guard=guard)
    await handle(records[:WARM_UP])

    with Statements(world.storage.database) as few:
        small = await handle(records[WARM_UP : WARM_UP + FEW])
    with Statements(world.storage.database) as many:
        large = await handle(records[WARM_UP + FEW :])

    assert (small.events, large.events) == (FEW, MANY)
    assert few.texts == many.texts
    assert len(many.texts) <= 9


async def _logged(world: World) -> Sequence[LogRecord]:
    """The events of whole lives, one order after the other, in the log of ``world``."""
    shop = Shop()
    for number in range(ORDERS):
        await shop.live(f"o{number}")
    events = [wire.decode_record(record) for record in await shop.records()]
    await GroupCommit(world.storage.committer).commit(WriteSet(events=events))
    logged = await world.storage.log.read(dict.fromkeys(range(BUCKETS), 0), limit=len(events))
    by_event = {record.event_id: record for record in logged}
    return [by_event[event.id] for event in events]


async def test_an_idle_consumer_of_the_log_looks_for_events_once_for_each_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_consumer, "SETTLE_SECONDS", 3600.0)
    stop, consumer = asyncio.Event(), notifications(world)
    wakeup = _Waits(stop)
    source = LogEventSource(world.storage.log, world.storage.cursors, consumer.name, wakeup)

    with Statements(world.storage.database) as idle:
        await RunConsumer(source=source, handle_batch=world.handling(consumer), consumer=consumer)(stop)

    looks = [statement for statement in idle.texts if "log_heads" in statement]
    assert wakeup.waits == WAITS
    assert len(looks) == WAITS + 1
    assert len(idle.texts) - len(looks) <= 3  # its cursors, and once what is to be sent


async def test_the_rollout_is_read_in_one_statement(world: World) -> None:
    with Statements(world.storage.database) as read:
        await world.storage.rollout.current_rollout()

    assert len(read.texts) == 1
