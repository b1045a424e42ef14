"""A process whose clock is wrong makes nothing late, and loses no back-off, once its clock is right again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve
from orderflow.adapters.memory import MemoryNotifier
from orderflow.adapters.sql.processes import processes
from orderflow.application.dead_letters.copy_to_topic import CopyDeadLetters
from orderflow.application.event_log.records import LogRecord
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.testing.consumers.handle_batch import FailingAnalytics
from orderflow.testing.idempotency import _key
from orderflow.testing.orders import placed
from orderflow.testing.processes import process
from sqlalchemy import update

from tests.support.waiting import eventually_async


@define
class Watch:
    """A clock that is set wrong."""

    wrong: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.wrong


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.mark.parametrize("wrong", [timedelta(days=1), timedelta(minutes=4), -timedelta(days=1)])
async def test_mails_that_failed_under_a_wrong_clock_are_due_as_under_a_right_one(url: str, wrong: timedelta) -> None:
    watch, channel = Watch(wrong), MemoryNotifier(everybody=True)
    container = container_for(Settings(database_url=url), clock=watch)
    async with opened(container):
        notify = evolve(container.consumers()["notifications"], channels=[channel])
        await placed(container.storage())
        await container.handle_batch(notify)(await _records(container))
        at_first = await container.effects().notifications.of_orders(["O1"])
        channel.problem = "no route to host"
        await notify.settle()
        failed = await container.effects().notifications.of_orders(["O1"])
        now = await container.storage().now()

        watch.wrong, channel.problem = timedelta(), ""

        async def sent() -> bool:
            await notify.settle()
            return len(channel.sent) == 2

        await eventually_async(sent, that="the mails are sent")
    assert sorted(it.attempts for it in failed) == [0, 1]
    assert all(abs(it.due_at - now) < timedelta(minutes=3) for it in [*at_first, *failed])


async def test_dead_letters_that_were_parked_under_a_wrong_clock_are_copied_at_once(url: str) -> None:
    container = container_for(Settings(database_url=url), clock=Watch(timedelta(days=1)))
    shelf = list[Any]()

    class Topic:
        async def put(self, dead_letters: Any) -> None:
            shelf.extend(dead_letters)

        async def close(self) -> None: ...

    async with opened(container):
        records = await _placed(container)
        batches = container.handle_batch(FailingAnalytics(poison={("O1", 1)}))
        batches.handle_batch.copied = True
        await batches(records)

        copied = await CopyDeadLetters(container.effects().dead_letters, Topic(), container.storage_clock())()

    assert (copied, len(shelf)) == (1, 1)


@pytest.mark.parametrize("wrong", [timedelta(days=2), -timedelta(days=2)])
async def test_responses_are_kept_for_a_day_by_the_storages_clock(url: str, wrong: timedelta) -> None:
    container = container_for(Settings(database_url=url), clock=Watch(wrong))
    async with opened(container):
        storage = container.storage()
        await placed(storage, idempotency=_key("k1"))

        deleted = await storage.answers.delete_before(
            await storage.now() - timedelta(hours=Settings().idempotency_hours)
        )

        assert deleted == 0
        assert await storage.answers.delete_before(await storage.now()) == 1


@pytest.mark.parametrize("store", ["notifications", "dead letters"])
async def test_what_another_process_stored_a_day_late_is_due_now(url: str, store: str) -> None:
    container = container_for(Settings(database_url=url))
    async with opened(container):
        effects, now = container.effects(), datetime.now(UTC)
        records = await _placed(container)
        if store == "dead letters":
            await container.handle_batch(FailingAnalytics(poison={("O1", 1)}))(records)
            [dead_letter] = await effects.dead_letters.of_order("analytics", "O1")
            async with effects.store("analytics") as work:
                await work.dead_letters.copy_later([dead_letter], now + timedelta(days=1))
            claim = effects.dead_letters.claim_copies
            claimed = await claim(now=now, until=now + timedelta(seconds=30), limit=9)
        else:
            channel = MemoryNotifier(everybody=True)
            notify = evolve(container.consumers()["notifications"], channels=[channel])
            await container.handle_batch(notify)(records)
            pending, _ = await effects.notifications.of_orders(["O1"])
            await effects.notifications.keep([evolve(pending, due_at=now + timedelta(days=1))])
            claim = effects.notifications.claim
            claimed = await claim(["email"], now=now, until=now + timedelta(minutes=5), limit=9)
            claimed = [it for it in claimed if it.recipient == pending.recipient]

    assert len(claimed) == 1


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
async def test_a_process_that_ended_while_the_databases_clock_was_ahead_is_gone_and_pruned(
    request: pytest.FixtureRequest, name: str
) -> None:
    container = container_for(Settings(database_url=str(request.getfixturevalue(f"{name}_url"))))
    async with opened(container):
        storage = container.storage()
        await storage.processes.heartbeat(process("ended"), datetime.now(UTC))
        async with storage.database.writing() as connection:
            ahead = update(processes).values(last_seen_at=datetime.now(UTC) + timedelta(days=1))
            await connection.execute(ahead)
        await storage.processes.heartbeat(process("lives"), datetime.now(UTC))

        gone = {it.process.id: it.gone for it in await storage.processes.all()}
        pruned = await storage.processes.prune(3600)

    assert gone == {"ended": True, "lives": False}
    assert pruned == 1


async def _placed(container: Any) -> list[LogRecord]:
    await placed(container.storage())
    return await _records(container)


async def _records(container: Any) -> list[LogRecord]:
    log = container.storage().log
    return list(await log.read(dict.fromkeys(await log.heads(), 0), limit=9))
