"""Effects of consumers are counted when they are committed, and once, however often an event is read."""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import define, field
from orderflow.adapters import wire
from orderflow.adapters.memory.consumer_store import MemoryConsumerStores, MemoryConsumerTransaction
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.instrumented import Telemetry
from orderflow.adapters.telemetry.instrumented_consumers import InstrumentedBatches, instrumented
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.analytics.order_progress import AnalyticsResult
from orderflow.application.analytics.ports import AnalyticsTransaction
from orderflow.application.consuming.consumer import Consumer
from orderflow.application.consuming.handle_batch import HandleBatch
from orderflow.application.consuming.handlers import HandlerConsumer
from orderflow.application.dead_letters.redrive import Redrive
from orderflow.application.event_log.records import Delivery, LogRecord
from orderflow.domain.errors import StorageUnavailable
from orderflow.domain.events import OrderEvent
from orderflow.domain.lifecycle import OrderState
from orderflow.testing.consumers.shop import HandClock, Shop

from tests.support.metrics import Samples


@define
class Faulty:
    """Analytics that raises ``failure`` for events of ``broken`` orders, after it has done its work."""

    broken: set[str] = field(factory=set)
    failure: Exception = field(factory=lambda: RuntimeError("no"))
    name: str = "analytics"

    async def handle(self, deliveries: Sequence[Delivery], work: AnalyticsTransaction) -> AnalyticsResult:
        result = await Analyse().handle(deliveries, work)
        if any(delivery.event.order_id in self.broken for delivery in deliveries):
            raise self.failure
        return result

    async def settle(self) -> int:
        return 0


@define
class InstrumentedConsumerOfShop:
    """One consumer, watched, on the memory of a shop."""

    consumer: Consumer[Any]
    shop: Shop = field(factory=Shop)
    instruments: Instruments = field(factory=Instruments)
    effects: MemoryConsumerStores = field(init=False)
    handle: InstrumentedBatches = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.effects = MemoryConsumerStores(self.shop.storage.cursors)
        self.handle = self.handler()

    def handler(self) -> InstrumentedBatches:
        telemetry, store = Telemetry(self.instruments), self.effects.store
        counted = instrumented(self.consumer, telemetry)
        batch = HandleBatch(
            counted,
            store,
            self.shop.storage.cursors,
            wire.decode_record,
            self.shop.clock,
            observer=counted.observe,
        )
        return InstrumentedBatches(batch, self.consumer.name, telemetry)

    async def redrive(self) -> None:
        counted = instrumented(self.consumer, Telemetry(self.instruments))
        redrive = Redrive(
            counted,
            self.effects.store,
            self.effects.dead_letters,
            wire.decode_record,
            HandClock(),
            observer=counted.observe,
        )
        await redrive(by="ann", reason="it is fixed")

    @property
    def seen(self) -> Samples:
        return Samples.counted(self.instruments)


async def test_a_life_is_counted_as_business_once_however_often_it_is_given() -> None:
    watching = InstrumentedConsumerOfShop(Analyse())
    await watching.shop.live("o1", price="12.50")
    await watching.shop.order("o2", price="5.00", currency="USD")
    await watching.shop.call_off("o2", "Out of  stock")
    await watching.shop.order("o3")
    await watching.shop.call_off("o3", "Jane Doe has moved to 12 Main Street")
    records = await watching.shop.records()

    for batch in (records[:4], records[4:], records, records[2:]):
        await watching.handle(batch)
    await watching.handler()(records)

    seen = watching.seen
    assert seen.total(catalogue.CREATED) == 3
    assert seen.by(catalogue.REVENUE, "currency") == {"EUR": 22.5, "USD": 5}
    assert seen.by(catalogue.REVENUE_LOST, "currency") == {"EUR": 10, "USD": 5}
    assert seen.by(catalogue.ENDED, "state") == {"delivered": 1, "cancelled": 2}
    assert seen.by(catalogue.CANCELLATIONS, "reason") == {"out_of_stock": 1, "other": 1}
    assert seen.by(catalogue.IN_STATE, "state", "_count") == {"waiting_for_shipper": 3, "preparing": 1, "on_the_way": 1}
    assert seen.by(catalogue.IN_STATE, "state", "_sum") == {"waiting_for_shipper": 3, "preparing": 1, "on_the_way": 1}
    assert seen.by(catalogue.PROCESSING, "state", "_sum") == {"delivered": 3, "cancelled": 2}
    assert seen.total(catalogue.DELIVERY, "_count") == 1
    assert seen.by(catalogue.PROCESSED, "type", outcome="ok") == _types(records)
    assert seen.by(catalogue.CONSUMED, "outcome") == {"handled": len(records), "duplicate": 3 * len(records) - 2}


async def test_what_was_not_committed_is_not_counted() -> None:
    watching = InstrumentedConsumerOfShop(Faulty({"o1"}, StorageUnavailable("memory", "gone")))
    await watching.shop.live("o1")

    with pytest.raises(StorageUnavailable):
        await watching.handle(await watching.shop.records())

    assert (watching.seen.total(catalogue.CREATED), watching.seen.total(catalogue.PROCESSED)) == (0, 0)
    assert watching.seen.total(catalogue.BATCH_SECONDS, "_count") == 1


async def test_a_batch_whose_commit_fails_is_counted_when_it_is_committed_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = InstrumentedConsumerOfShop(Analyse())
    await watching.shop.order("o1", price="7.00")
    records = await watching.shop.records()

    async def fail(_: MemoryConsumerTransaction) -> None:
        raise StorageUnavailable("memory", "gone")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryConsumerTransaction, "commit", fail)
        with pytest.raises(StorageUnavailable):
            await watching.handle(records)
    before = watching.seen
    await watching.handle(records)

    assert (before.total(catalogue.CREATED), before.total(catalogue.PROCESSED)) == (0, 0)
    assert watching.seen.total(catalogue.REVENUE, currency="EUR") == 7
    assert watching.seen.by(catalogue.PROCESSED, "outcome") == {"ok": 1}


async def test_of_a_batch_that_fails_only_the_event_that_fails_alone_counts_as_failed() -> None:
    watching = InstrumentedConsumerOfShop(Faulty({"o2"}))
    for order_id in ("o1", "o2", "o3"):
        await watching.shop.order(order_id)

    await watching.handle(await watching.shop.records())

    seen = watching.seen
    assert seen.by(catalogue.PROCESSED, "outcome") == {"ok": 2, "failed": 3}
    assert seen.by(catalogue.PROCESS_SECONDS, "outcome", "_count")["failed"] == 3
    assert seen.by(catalogue.CONSUMED, "outcome") == {"handled": 2, "parked": 1}
    assert seen.total(catalogue.CREATED) == 2


async def test_what_is_redriven_is_counted_then() -> None:
    faulty = Faulty({"o1"})
    watching = InstrumentedConsumerOfShop(faulty)
    await watching.shop.order("o1", price="7.00")
    await watching.handle(await watching.shop.records())
    before = watching.seen.total(catalogue.REVENUE)

    faulty.broken.clear()
    await watching.redrive()

    assert (before, watching.seen.total(catalogue.REVENUE, currency="EUR")) == (0, 7)


async def test_missing_events_are_counted_as_gaps() -> None:
    watching = InstrumentedConsumerOfShop(Analyse())
    await watching.shop.live("o1")
    records = await watching.shop.records()

    await watching.handle([records[0], records[2]])

    assert watching.seen.total(catalogue.GAPS, consumer="analytics") == 1


async def test_the_time_of_a_handler_outside_of_the_transaction_counts() -> None:
    slow = 0.02

    async def handler(event: OrderEvent) -> None:
        import time

        until = time.perf_counter() + slow
        while time.perf_counter() < until:
            pass

    watching = InstrumentedConsumerOfShop(HandlerConsumer("shop.on_created", frozenset({"order.created"}), handler))
    await watching.shop.order("o1")

    await watching.handle(await watching.shop.records())

    assert watching.seen.total(catalogue.PROCESS_SECONDS, "_sum", consumer="shop.on_created", outcome="ok") >= slow


async def test_a_handler_that_raises_outside_of_the_transaction_counts_as_failed() -> None:
    async def handler(event: OrderEvent) -> None:
        raise ValueError(event.customer_id)

    watching = InstrumentedConsumerOfShop(HandlerConsumer("shop.on_created", frozenset({"order.created"}), handler))
    await watching.shop.order("o1")

    await watching.handle(await watching.shop.records())

    assert watching.seen.by(catalogue.PROCESSED, "outcome", consumer="shop.on_created") == {"failed": 3}


async def test_an_order_that_moves_over_several_batches_spends_its_time_once() -> None:
    watching = InstrumentedConsumerOfShop(Analyse())
    await watching.shop.order("o1")
    await watching.shop.assign("o1")
    await watching.handle(await watching.shop.records())
    half = len(await watching.shop.records())
    await watching.shop.move("o1", OrderState.ON_THE_WAY)

    await watching.handle((await watching.shop.records())[half:])

    assert watching.seen.by(catalogue.IN_STATE, "state", "_count") == {"waiting_for_shipper": 1, "preparing": 1}


def _types(records: Sequence[LogRecord]) -> dict[str, Any]:
    return {type_: sum(record.type == type_ for record in records) for type_ in sorted({r.type for r in records})}
