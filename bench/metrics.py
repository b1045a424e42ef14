"""``metrics``: orders created and events handled with everything counted, against the same with nothing counted.

Rates are those of a second of this process's own processor time: what the database or another process does meanwhile is
not what counting costs.
"""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from time import process_time
from typing import Any

from attrs import frozen
from orderflow.adapters import wire
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.memory.consumer_store import MemoryConsumerStores
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.instrumented import InstrumentedCommand, InstrumentedCommitter, Telemetry
from orderflow.adapters.telemetry.instrumented_consumers import InstrumentedBatches, instrumented
from orderflow.adapters.telemetry.metrics.database import watch_fetches, watch_pool, watch_statements
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.clock import utc_now
from orderflow.application.consuming.handle_batch import HandleBatch
from orderflow.application.event_log.records import LogRecord
from orderflow.application.orders.create_order import CreateOrder
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.entrypoints.wiring.storage_and_consumers import new_id

from .creating import ADMIN, new_order
from .finding import Effort, Finding, Turn, in_turn, rates, ratios
from .history import lived, records
from .servers import Servers

CALLERS = 128
ORDERS = 1500
HANDLED_ORDERS = 1000
BATCH = 500
RELAY = 0.85
FLOOR_IN_MEMORY = 0.75
"""Without waits, counting weighs the most."""


@frozen
class _Creating:
    """Orders a second of processor time, by so many callers at once."""

    create: Any
    many: int
    callers: int

    async def __call__(self) -> float:
        numbers = iter(range(self.many))

        async def caller(numbers: Iterator[int]) -> None:
            for number in numbers:
                await self.create(new_order(number), by=ADMIN)

        gc.collect()
        began = process_time()
        await asyncio.gather(*[caller(numbers) for _ in range(self.callers)])
        return self.many / (process_time() - began)


@frozen
class _Handling:
    """Events a second of processor time, in batches, by analytics on empty books in memory."""

    given: Sequence[LogRecord]
    instruments: Instruments | None

    async def __call__(self) -> float:
        storage = MemoryStorage()
        handle = _handle(storage, self.instruments)
        gc.collect()
        began = process_time()
        for start in range(0, len(self.given), BATCH):
            await handle(self.given[start : start + BATCH])
        return len(self.given) / (process_time() - began)


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    plain, seen = SqlStorage.at(servers.database()), SqlStorage.at(servers.database())
    instruments = Instruments()
    for engine in seen.database.engines:
        watch_statements(engine, instruments)
    seen.database.watch = watch_fetches(instruments)
    watch_pool(seen.engine.sync_engine, instruments)
    await plain.open()
    await seen.open()
    try:
        many = effort.of(ORDERS)
        on_disk = await _compared(
            "create on PostgreSQL, counted / not",
            RELAY,
            "orders",
            effort,
            _Creating(_create(seen, instruments), many, CALLERS),
            _Creating(_create(plain), many, CALLERS),
        )
    finally:
        await plain.close()
        await seen.close()
    in_ram = await _compared(
        "create in memory, counted / not",
        FLOOR_IN_MEMORY,
        "orders",
        effort,
        _Creating(_create(MemoryStorage(), instruments), many, 1),
        _Creating(_create(MemoryStorage()), many, 1),
    )
    given = await records(await lived(effort.of(HANDLED_ORDERS)))
    handled = await _compared(
        "handle in memory, counted / not",
        FLOOR_IN_MEMORY,
        "events",
        effort,
        _Handling(given, instruments),
        _Handling(given, None),
    )
    return [on_disk, in_ram, handled]


async def _compared(what: str, floor: float, unit: str, effort: Effort, counted: Turn, not_counted: Turn) -> Finding:
    ours, bare = await in_turn(effort, counted, not_counted)
    aside = rates(unit, counted=ours, **{"not counted": bare})
    return Finding(what=what, values=ratios(ours, bare), floor=floor, aside=aside)


def _create(storage: Any, instruments: Instruments | None = None) -> Any:
    """The use-case as the container builds it, or with nothing around it."""
    telemetry = None if instruments is None else Telemetry(instruments)
    commit = GroupCommit(storage.committer)
    committer = commit if telemetry is None else InstrumentedCommitter(commit, telemetry)
    create = CreateOrder(WriteSetUnitOfWork(committer=committer, read=storage.views.get), utc_now, new_id)
    return create if telemetry is None else InstrumentedCommand("create_order", create, telemetry, new_id)


def _handle(storage: MemoryStorage, instruments: Instruments | None) -> Any:
    """The handling of batches as the container builds it, or with nothing around it."""
    store = MemoryConsumerStores(storage.cursors).store
    if instruments is None:
        return HandleBatch(Analyse(), store, storage.cursors, wire.decode_record, utc_now)
    telemetry = Telemetry(instruments)
    counted = instrumented(Analyse(), telemetry)
    batch = HandleBatch(counted, store, storage.cursors, wire.decode_record, utc_now, observer=counted.observe)
    return InstrumentedBatches(batch, counted.name, telemetry)
