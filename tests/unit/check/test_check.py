"""The check finds nothing wrong after a simulated day, and every damage is found by its own comparison."""

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from orderflow.adapters.memory import MemoryTopic
from orderflow.adapters.wire import decode_record
from orderflow.application.check import CheckReport
from orderflow.application.check.topic import CheckTopic
from orderflow.application.event_log.records import RELAY, LogRecord, UnrecognizedRecord
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.domain.events import OrderEvent
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.waiting import eventually_async

POSITIONS = "positions are dense in each bucket"
PATHS = "versions are dense and paths legal in each order"
ROWS = "row = fold(log)"
MONEY = "money is conserved"
PAYMENTS = "payments are settled and fit their orders"
TOPIC = "the topic holds the log's events, each once and in order"
FOLDS = "fold(log) = fold(topic)"
NOTIFICATIONS = "notifications: one notification for each event, recipient and channel"
ANALYTICS = "analytics: each order's progress has each of its events once"
INVENTORY = "inventory: each order's reservation fits its events"

HELD_FROM = 128
ONE_DELIVERED = "SELECT id FROM orders WHERE state = 'delivered' ORDER BY id LIMIT 1"
ONE_CANCELLED = "SELECT id FROM orders WHERE state = 'cancelled' ORDER BY id LIMIT 1"
A_LATER_EVENT = f"order_id = ({ONE_DELIVERED}) AND sequence = 3"


def _settings(database: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{database}", poll_seconds=0.01)


async def _simulate(database: Path) -> list[LogRecord]:
    clock = VirtualClock()
    container = container_for(_settings(database), clock=clock)
    async with opened(container):
        storage, stop = container.storage(), asyncio.Event()
        running = asyncio.create_task(run_parts(container, consumers=CONSUMERS, stop=stop))
        day = generate_day(30, 7)
        await RunDay(InProcessOrderClient(container.use_cases()), VirtualPace(clock))(day)
        heads = dict(await storage.log.heads())

        async def caught_up() -> bool:
            return all([dict(await storage.cursors.positions(name)) == heads for name in CONSUMERS])

        await eventually_async(caught_up, that="the consumers caught up")
        stop.set()
        await running
        topic = MemoryTopic()
        publish = PublishPending(storage.log, topic, storage.cursors)
        while await publish():
            pass
        return topic.records


@pytest.fixture(scope="module")
def simulated_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[LogRecord]]:
    database = tmp_path_factory.mktemp("lived") / "day.db"
    return database, asyncio.run(_simulate(database))


@pytest.fixture
def day(simulated_day: tuple[Path, list[LogRecord]], tmp_path: Path) -> tuple[Path, MemoryTopic]:
    original, records = simulated_day
    database = tmp_path / "day.db"
    shutil.copy(original, database)
    topic = MemoryTopic()
    topic.records = list(records)
    return database, topic


async def _check(database: Path, topic: MemoryTopic, **topic_settings: Any) -> CheckReport:
    container = container_for(_settings(database))
    async with opened(container):
        log = container.storage().log
        report: CheckReport = await evolve(
            container.check(), topic=CheckTopic(topic, log, decode_record, **topic_settings)
        )()
        return report


async def test_the_log_is_read_once_and_each_event_is_decoded_once(day: tuple[Path, MemoryTopic]) -> None:
    database, _ = day
    decoded: Counter[tuple[int, int]] = Counter()

    def counting(record: LogRecord) -> OrderEvent:
        decoded[record.address] += 1
        return decode_record(record)

    container = container_for(_settings(database))
    async with opened(container):
        check = container.check()
        counted = evolve(
            check,
            orders_and_log=evolve(check.orders_and_log, decode=counting),
            effects=evolve(check.effects, decode=counting),
        )
        report: CheckReport = await counted()
        heads = await container.storage().log.heads()

    assert report.clean
    assert (len(decoded), set(decoded.values())) == (sum(heads.values()), {1})


def _found(report: CheckReport) -> set[str]:
    return {comparison.name for comparison in report.comparisons if comparison.found}


async def test_a_simulated_day_is_clean_and_everything_is_compared(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day

    report = await _check(database, topic)

    assert report.clean, [c.differences[:3] for c in report.comparisons if c.found]
    assert {c.name for c in report.comparisons} == {
        POSITIONS, PATHS, ROWS, MONEY, PAYMENTS, TOPIC, FOLDS, NOTIFICATIONS, ANALYTICS, INVENTORY
    }  # fmt: skip
    assert all(c.compared >= 20 for c in report.comparisons)
    assert not any(c.skipped for c in report.comparisons)
    assert report.notes == []


DAMAGES: dict[str, tuple[str, str]] = {
    "an order's state was changed behind the log's back": (
        ROWS,
        f"UPDATE orders SET state = 'cancelled' WHERE id = ({ONE_DELIVERED})",
    ),
    "an order's version was raised": (ROWS, f"UPDATE orders SET version = version + 1 WHERE id = ({ONE_DELIVERED})"),
    "an order's row was deleted": (ROWS, f"DELETE FROM orders WHERE id = ({ONE_DELIVERED})"),
    "an order has a row and no events": (
        ROWS,
        "INSERT INTO orders SELECT 'ghost', version, state, customer_id, restaurant_id, shipper_id, lines,"
        " delivery_fee, currency, payment_method, payment_status, card_token, address, created_at, updated_at,"
        " estimated_at,"
        " delivered_at, delivery_minutes, cancel_reason, cancelled_by, NULL, NULL, NULL, NULL"
        f" FROM orders WHERE id = ({ONE_DELIVERED})",
    ),
    "an order's delivery fee was changed": (
        MONEY,
        f"UPDATE orders SET delivery_fee = '99.00' WHERE id = ({ONE_DELIVERED})",
    ),
    "an event of the log was deleted": (POSITIONS, f"DELETE FROM order_events WHERE {A_LATER_EVENT}"),
    "an event's position was moved": (
        POSITIONS,
        f"UPDATE order_events SET position = position + 1000 WHERE {A_LATER_EVENT}",
    ),
    "an event's number within its order was changed": (
        PATHS,
        f"UPDATE order_events SET sequence = sequence + 100 WHERE {A_LATER_EVENT}",
    ),
    "a log counter ran ahead": (POSITIONS, "UPDATE log_heads SET position = position + 1 WHERE position > 0"),
    "an illegal path was written into the log": (
        PATHS,
        'UPDATE order_events SET body = CAST(replace(CAST(body AS TEXT), \'"newState":"preparing"\','
        " '\"newState\":\"delivered\"') AS BLOB) WHERE type = 'order.state_changed'",
    ),
    "a notification was lost": (
        NOTIFICATIONS,
        f"DELETE FROM notifications WHERE {A_LATER_EVENT} AND recipient LIKE 'customer:%'",
    ),
    "a notification without an event": (
        NOTIFICATIONS,
        f"UPDATE notifications SET recipient = 'customer:stranger' WHERE {A_LATER_EVENT}"
        " AND recipient LIKE 'customer:%'",
    ),
    "analytics counted an event twice": (
        ANALYTICS,
        f"UPDATE order_progress SET events = events + 1 WHERE order_id = ({ONE_DELIVERED})",
    ),
    "analytics has other money": (
        ANALYTICS,
        f"UPDATE order_progress SET total = '1.00' WHERE order_id = ({ONE_DELIVERED})",
    ),
    "analytics sums another total": (
        ANALYTICS,
        f"UPDATE order_progress SET total_e4 = total_e4 + 3000 WHERE order_id = ({ONE_DELIVERED})",
    ),
    "analytics lists an order in another minute": (
        ANALYTICS,
        f"UPDATE order_progress SET created_minute = created_minute + 1 WHERE order_id = ({ONE_DELIVERED})",
    ),
    "analytics forgot an order": (ANALYTICS, f"DELETE FROM order_progress WHERE order_id = ({ONE_DELIVERED})"),
    "a reservation was released for a delivered order": (
        INVENTORY,
        f"UPDATE reservations SET status = 'released' WHERE order_id = ({ONE_DELIVERED})",
    ),
    "a cancelled order still holds its stock": (
        INVENTORY,
        f"UPDATE reservations SET status = 'reserved' WHERE order_id = ({ONE_CANCELLED})",
    ),
    "an order's row cannot be read": (ROWS, f"UPDATE orders SET state = 'lost' WHERE id = ({ONE_DELIVERED})"),
    "a payment attempt cannot be read": (PAYMENTS, "UPDATE payment_attempts SET status = 'lost'"),
    "the progress of an order cannot be read": (
        ANALYTICS,
        f"UPDATE order_progress SET total = 'lost' WHERE order_id = ({ONE_DELIVERED})",
    ),
    "a reservation cannot be read": (
        INVENTORY,
        f"UPDATE reservations SET status = 'lost' WHERE order_id = ({ONE_DELIVERED})",
    ),
    "a reservation was lost": (INVENTORY, f"DELETE FROM reservations WHERE order_id = ({ONE_DELIVERED})"),
}


@pytest.mark.parametrize(("comparison", "damage"), DAMAGES.values(), ids=DAMAGES.keys())
async def test_damage_in_the_database_is_found(day: tuple[Path, MemoryTopic], comparison: str, damage: str) -> None:
    database, topic = day
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(damage).rowcount > 0
        connection.commit()

    report = await _check(database, topic)

    assert comparison in _found(report), _found(report)


def _drop(records: list[LogRecord]) -> None:
    del records[len(records) // 3]


def _drop_the_last_of_a_bucket(records: list[LogRecord]) -> None:
    records.remove(max(records, key=lambda r: (r.position, r.bucket)))


def _double(records: list[LogRecord]) -> None:
    records.append(records[7])


def _swap(records: list[LogRecord]) -> None:
    bucket = max(records, key=lambda r: r.position).bucket
    first, second, *_ = [i for i, r in enumerate(records) if r.bucket == bucket]
    records[first], records[second] = records[second], records[first]


def _change(records: list[LogRecord]) -> None:
    index = next(i for i, r in enumerate(records) if r.type == "order.created")
    body = json.loads(records[index].body)
    body["data"]["restaurantId"] = "elsewhere"
    records[index] = records[index]._replace(body=json.dumps(body).encode())


def _invent(records: list[LogRecord]) -> None:
    last = max(records, key=lambda r: r.position)
    records.append(last._replace(position=last.position + 1, order_id="ghost", sequence=1))


def _add_an_unrecognized_record(records: list[LogRecord]) -> None:
    stranger = UnrecognizedRecord(
        topic="order-events", partition=0, offset=3, key=b"", value=b"{}", problem="no address"
    )
    records.append(stranger)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("damage", "comparison"),
    [
        (_drop, TOPIC),
        (_double, TOPIC),
        (_swap, TOPIC),
        (_change, TOPIC),
        (_change, FOLDS),
        (_invent, TOPIC),
        (_add_an_unrecognized_record, TOPIC),
    ],
)
async def test_damage_on_the_topic_is_found(
    day: tuple[Path, MemoryTopic], damage: Callable[[list[LogRecord]], None], comparison: str
) -> None:
    database, topic = day
    damage(topic.records)

    report = await _check(database, topic)

    assert comparison in _found(report), _found(report)


def _problems(report: CheckReport, comparison: str) -> list[str]:
    return [difference.problem for it in report.comparisons if it.name == comparison for difference in it.differences]


def _a_payment(records: list[LogRecord]) -> int:
    """Return the index of a card payment that is neither the first nor the last event of its order."""
    delivered = {record.order_id for record in records if record.type == "order.delivered"}
    paid = b'"paymentStatus":"paid","paymentMethod":"credit_card"'
    return next(i for i, record in enumerate(records) if record.order_id in delivered and paid in record.body)


async def test_an_order_is_folded_from_the_topic_if_a_record_of_it_differs(
    day: tuple[Path, MemoryTopic],
) -> None:
    database, topic = day
    index = _a_payment(topic.records)
    record = topic.records[index]
    topic.records[index] = record._replace(body=record.body.replace(b"credit_card", b"debit_card"))

    report = await _check(database, topic)

    assert _problems(report, TOPIC) == ["differs from the log's record at this address"]
    assert _problems(report, FOLDS) == ["payment_method: the log has credit_card, the topic debit_card"]


async def test_an_order_with_a_missing_record_is_a_difference(
    day: tuple[Path, MemoryTopic],
) -> None:
    database, topic = day
    index = _a_payment(topic.records)
    position = topic.records[index].position
    del topic.records[index]

    report = await _check(database, topic)

    assert _problems(report, TOPIC) == [f"missing from position {position} on: 1 event"]
    assert _problems(report, FOLDS) == ["the log and the topic do not both have all its events"]


async def test_each_consumer_is_compared_up_to_its_own_cursors(
    day: tuple[Path, MemoryTopic],
) -> None:
    database, topic = day
    with closing(sqlite3.connect(database)) as connection:
        [events] = connection.execute("SELECT count(*) FROM order_events").fetchone()
        connection.execute("UPDATE cursors SET position = 0 WHERE reader = 'notifications' AND bucket % 2 = 0")
        [behind] = connection.execute("SELECT count(*) FROM order_events WHERE bucket % 2 = 0").fetchone()
        connection.execute("DELETE FROM notifications")
        connection.commit()

    report = await _check(database, topic)

    compared = {it.name: it.compared for it in report.comparisons}
    assert (compared[NOTIFICATIONS], compared[ANALYTICS], compared[INVENTORY]) == (events - behind, events, events)
    assert _found(report) == {NOTIFICATIONS}
    assert report.notes == [f"notifications has {behind} events still to handle"]


def _hold_back(topic: MemoryTopic) -> int:
    """Remove the buckets from HELD_FROM on from the topic, and return how many events that are."""
    before = len(topic.records)
    topic.records = [record for record in topic.records if record.bucket < HELD_FROM]
    return before - len(topic.records)


async def _half() -> int:
    return HELD_FROM


async def test_events_that_are_held_back_are_a_note_not_a_difference(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day
    held = _hold_back(topic)

    report = await _check(database, topic, share=_half)

    assert report.clean, [c.differences[:3] for c in report.comparisons if c.found]
    assert report.notes == [f"held back: {held} events, as the buckets from {HELD_FROM} on are not published"]


async def test_the_published_buckets_are_compared_while_others_are_held_back(
    day: tuple[Path, MemoryTopic],
) -> None:
    database, topic = day
    _hold_back(topic)
    _drop(topic.records)

    report = await _check(database, topic, share=_half)

    assert _found(report) == {TOPIC, FOLDS}


async def test_unpublished_events_are_a_note_not_a_difference(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day
    _drop_the_last_of_a_bucket(topic.records)

    report = await _check(database, topic)

    assert report.clean
    assert report.notes == ["not on the topic yet: 1 event of the log"]


async def _check_all_published(database: Path, topic: MemoryTopic) -> CheckReport:
    """Check after the relay has stored cursors at the end of the log."""
    container = container_for(_settings(database))
    async with opened(container):
        cursors = container.storage().cursors
        await cursors.put(RELAY, await container.storage().log.heads())
        return await _check(database, topic, cursors=cursors)


async def test_events_that_retention_deleted_are_counted_and_not_compared(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day
    topic.shortened = True
    del topic.records[:100]

    report = await _check_all_published(database, topic)

    orders = next(it.compared for it in report.comparisons if it.name == FOLDS)
    assert report.clean, [c.differences[:3] for c in report.comparisons if c.found]
    assert report.notes == [
        "not compared: 100 events deleted from the topic by retention or compaction",
        f"not compared with the topic: {30 - orders} orders of which events were deleted",
    ]


async def test_an_event_that_is_missing_after_what_retention_deleted_is_a_difference(
    day: tuple[Path, MemoryTopic],
) -> None:
    database, topic = day
    topic.shortened = True
    bucket = max(topic.records, key=lambda record: record.position).bucket
    second = [record for record in topic.records if record.bucket == bucket][1]
    topic.records.remove(second)

    report = await _check(database, topic)

    assert _problems(report, TOPIC) == ["missing from position 2 on: 1 event"]


async def test_events_that_compaction_deleted_are_counted_and_not_compared(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day
    topic.compacted = True
    before = len(topic.records)
    topic.records = list({record.order_id: record for record in topic.records}.values())

    report = await _check_all_published(database, topic)

    deleted = before - len(topic.records)
    assert report.clean, [c.differences[:3] for c in report.comparisons if c.found]
    assert f"not compared: {deleted} events deleted from the topic by retention or compaction" in report.notes


async def test_a_topic_that_has_lost_what_was_published_is_a_difference(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day
    lost = len(topic.records)
    topic.records.clear()

    report = await _check_all_published(database, topic)

    assert {TOPIC, FOLDS} == _found(report)
    assert sum(int(problem.split()[-2]) for problem in _problems(report, TOPIC)) == lost


async def test_events_that_a_consumer_has_not_handled_are_a_note(day: tuple[Path, MemoryTopic]) -> None:
    database, topic = day
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE cursors SET position = 0 WHERE reader = 'analytics'")
        connection.execute("DELETE FROM order_progress")
        connection.commit()

    report = await _check(database, topic)

    assert report.clean
    assert [note.split(" has ")[0] for note in report.notes] == ["analytics"]
