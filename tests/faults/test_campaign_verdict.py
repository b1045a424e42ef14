"""The campaign's verdict sees each damage that it is there for."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from attrs import evolve
from orderflow.application.check import CheckReport
from orderflow.application.event_log.records import bucket_of
from orderflow.testing.orders import placed

from .campaign.deployment import TOPIC
from .campaign.verdict import (
    Address,
    Record,
    Topic,
    check_cursors,
    check_leaks,
    check_log_and_topic,
    check_parked,
    check_requests,
    check_secrets,
    compare_topic,
)
from .campaign.workload import AcknowledgedRequest, Plan, Step, Workload
from .conftest import Connect

LOG: dict[Address, tuple[str, int, bytes]] = {
    (1, 1): ("a", 1, b"a1"),
    (1, 2): ("b", 1, b"b1"),
    (1, 3): ("a", 2, b"a2"),
}
ORDER = "poison-analytics-1"
PLANTED = re.compile(b"planted")


def _records() -> list[Record]:
    return [Record(bucket, at, *rest) for (bucket, at), rest in LOG.items()]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda records: None, 0),
        (lambda records: records.pop(), 1),
        (lambda records: records.append(records[-1]), 3),
        (lambda records: records.append(Record(9, 1, "ghost", 1, b"")), 1),
        (lambda records: records.__setitem__(0, Record(1, 1, "a", 1, b"other")), 1),
        (lambda records: records.reverse(), 4),
    ],
    ids=["clean", "one is missing", "one comes twice", "a ghost", "other bytes", "another order"],
)
def test_what_is_wrong_with_the_topic_is_seen(damage: Callable[[list[Record]], object], found: int) -> None:
    records = _records()
    damage(records)
    report = CheckReport()

    compare_topic(Topic(records), dict(LOG), report.start("topic", "records"))

    assert report.found == found


@pytest.fixture
async def database(postgresql_url: str, connect: Connect) -> AsyncIterator[asyncpg.Connection]:
    """One order, acknowledged under a key, whose only event is an analytics' dead letter."""
    await placed(await connect(postgresql_url), ORDER)
    connection = await asyncpg.connect(postgresql_url)
    now = datetime.now(UTC)
    await connection.execute(
        "INSERT INTO idempotency_keys (caller, key, fingerprint, order_id, response, created_at) "
        "VALUES ('boss', 'place', '', $1, 'answer', $2)",
        ORDER,
        now,
    )
    await connection.execute(
        'INSERT INTO dead_letters (consumer, order_id, sequence, bucket, position, topic, "partition", "offset", '
        "error, message, trace, attempts, first_failed_at, last_failed_at, type, event_id, occurred_at, body, "
        "correlation_id, traceparent) VALUES ('analytics', $1, 2, $2, 2, $3, 0, 7, 'PoisonEvent', 'it is poison', "
        "'Traceback: PoisonEvent', 3, $4, $4, '', '', $4, '', '', '')",
        ORDER,
        bucket_of(ORDER),
        TOPIC,
        now,
    )
    await connection.execute("UPDATE orders SET version = 2")
    yield connection
    await connection.close()


async def _at_once(_: float) -> None:
    return


def _workload(*, version: int = 2, answer: bytes = b"answer", order_id: str = ORDER) -> Workload:
    workload = Workload(Plan(1, 0), (), "", None, _at_once)
    digest = md5(answer, usedforsecurity=False).hexdigest()
    workload.acknowledged["place"] = AcknowledgedRequest(order_id, version, digest, creates=True)
    return workload


async def test_a_request_that_does_not_hold_is_seen(database: asyncpg.Connection) -> None:
    never_answered, not_asked_for = _workload(), _workload()
    never_answered.unknown["pay"] = Step("pay", ORDER, "POST", "/", b"", 1, by_http=True)
    not_asked_for.acknowledged["place"] = evolve(not_asked_for.acknowledged["place"], creates=False)
    requests = {
        "all holds": _workload(),
        "a change is lost": _workload(version=3),
        "an order is lost": _workload(order_id="gone"),
        "another answer is kept": _workload(answer=b"another"),
        "it was never answered": never_answered,
        "an order too many is there": not_asked_for,
    }

    found = {}
    for what, workload in requests.items():
        report = CheckReport()
        await check_requests(database, workload, 1, report)
        found[what] = report.found

    assert found == {what: int(what != "all holds") for what in requests}


DAMAGES = (
    "DELETE FROM dead_letters",
    "UPDATE dead_letters SET error = ''",
    "UPDATE dead_letters SET trace = ''",
    "UPDATE dead_letters SET attempts = 1",
    'UPDATE dead_letters SET "offset" = NULL',
    "UPDATE dead_letters SET consumer = 'inventory'",
    "UPDATE dead_letters SET first_failed_at = last_failed_at + interval '1 second'",
    "UPDATE orders SET version = 3",
    "UPDATE dead_letters SET order_id = 'sound'",
)


async def test_a_poison_event_that_is_not_parked_as_it_should_be_is_seen(database: asyncpg.Connection) -> None:
    async def found_after(damage: str) -> int:
        report, transaction = CheckReport(), database.transaction()
        await transaction.start()
        await database.execute(damage)
        await check_parked(database, [ORDER], report)
        await transaction.rollback()
        return report.found

    found = {damage: await found_after(damage) for damage in DAMAGES}

    assert await found_after("SELECT 1") == 0
    assert [damage for damage, times in found.items() if not times] == []


async def test_a_version_that_has_no_event_is_seen(database: asyncpg.Connection) -> None:
    report = CheckReport()

    await check_log_and_topic(database, Topic(), report)

    assert [each.found for each in report.comparisons] == [1, 1]


async def test_what_was_planted_is_seen_wherever_it_comes_to_light(
    database: asyncpg.Connection, tmp_path: Path
) -> None:
    log = tmp_path / "api.log"
    log.write_text("well\nhere is what was planted\n")
    await database.execute("UPDATE dead_letters SET message = 'a planted word'")
    report = CheckReport()

    silent = await check_secrets(database, [log], PLANTED, report)
    check_leaks(Topic(leaks=["planted"]), silent)

    assert report.found == 3


def test_a_cursor_that_went_back_is_seen() -> None:
    report: Any = CheckReport()

    check_cursors(7, ["relay in bucket 1 from 2 to 1"], report)

    assert (report.found, report.comparisons[0].compared) == (1, 7)
