"""Commits of one process are notified to others on the same PostgreSQL, and nothing depends on it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from time import monotonic
from typing import Any

import asyncpg
import pytest
from orderflow.adapters.sql.commit_notifications import CHANNEL, INTERVAL_SECONDS, CommitListener, CommitNotifier
from orderflow.adapters.sql.engines import PostgresAddress
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.backoff import Backoff
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import listen_for_commits, opened

from tests.support.pgbouncer import PgBouncer
from tests.support.servers import free_port
from tests.support.waiting import eventually_async
from tests.unit.domain.actors import ADMIN, line

FAR_OFF = 60.0
"""Seconds, the longest that can be set: a reader that finds news sooner did not find it by polling."""
SOON = 50.0

Opened = Callable[..., Any]


@pytest.fixture
async def process() -> AsyncIterator[Opened]:
    """Opens containers, each as a process of its own would."""
    async with AsyncExitStack() as at_the_end:

        async def start(url: str, **settings: Any) -> Any:
            container = container_for(Settings(database_url=url, poll_seconds=FAR_OFF, **settings))
            await at_the_end.enter_async_context(opened(container))
            return container

        yield start


async def idle_connection(container: Any) -> Any:
    """The connection by which the notifier has told of a commit, with nothing in flight on it."""
    notifier = container.commit_notifier()
    await eventually_async(lambda: notifier._connection and notifier._task.done(), that="it has notified")
    return notifier._connection


async def listening(container: Any) -> LocalWakeup:
    """The news of ``container``, which hears of others' commits from now on."""
    listen_for_commits(container)
    await eventually_async(lambda: container.commit_listener().listening, that="it listens")
    return container.news()


async def order(container: Any, order_id: str = "o1") -> None:
    new = NewOrder(
        customer_id="C1",
        restaurant_id="R7",
        lines=(line(),),
        payment_method=PaymentMethod.CASH,
        currency="EUR",
        order_id=order_id,
    )
    await container.use_cases().create_order(new, by=ADMIN)


async def woken(news: LocalWakeup, doing: Any) -> bool:
    """Return whether a task that waits for ``news`` is woken by ``doing``."""
    listener, began = news.listener(), monotonic()
    waiting = asyncio.create_task(listener.wait(SOON))
    await doing
    await waiting
    return monotonic() - began < SOON


async def test_a_consumer_handles_events_of_another_process_at_once(postgresql_url: str, process: Opened) -> None:
    api, consumers = await process(postgresql_url), await process(postgresql_url)
    stop = asyncio.Event()
    running = asyncio.create_task(run_parts(consumers, consumers=("analytics",), stop=stop))
    await eventually_async(lambda: consumers.commit_listener().listening, that="the consumers' process listens")

    await order(api)

    async def handled() -> bool:
        return bool(await consumers.storage().cursors.positions("analytics"))

    await eventually_async(handled, deadline=SOON, that="the consumer has handled the event")
    stop.set()
    consumers.news().notify()
    await running


async def test_a_listener_that_bypasses_the_pooler_is_notified_of_commits_through_it(
    pgbouncer: PgBouncer, postgresql_url: str, process: Opened
) -> None:
    through = pgbouncer.to(postgresql_url)
    api = await process(through, database_pooler="transaction")
    other = await process(through, database_pooler="transaction", database_listen_url=postgresql_url)

    news = await listening(other)

    assert await woken(news, order(api))
    assert api.commit_listener() is None


async def test_a_process_that_ends_right_after_its_commit_has_notified_the_others(
    postgresql_url: str, process: Opened
) -> None:
    async def a_short_life() -> None:
        container = container_for(Settings(database_url=postgresql_url))
        async with opened(container):
            await order(container)

    news = await listening(await process(postgresql_url))

    assert await woken(news, a_short_life())


@pytest.mark.parametrize("url", ["memory://", "sqlite:///orders.db", "postgresql://host/orders"])
def test_there_is_no_notifier_if_none_can_listen_or_it_is_switched_off(url: str) -> None:
    container = container_for(Settings(database_url=url, database_listen="off"))

    assert (container.commit_notifier(), container.commit_listener()) == (None, None)


async def test_many_commits_share_one_notification_in_five_milliseconds(postgresql_url: str) -> None:
    received = list[str]()
    listening = await asyncpg.connect(postgresql_url)
    await listening.add_listener(CHANNEL, lambda *arguments: received.append(arguments[-1]))
    commit_notifier, began, times = CommitNotifier(PostgresAddress(postgresql_url).connect, "api"), monotonic(), 0

    while monotonic() - began < 20 * INTERVAL_SECONDS or times < 100:
        commit_notifier.notify()
        times += 1
        await asyncio.sleep(0)
    await commit_notifier.close()
    passed = monotonic() - began
    await listening.execute(f"NOTIFY {CHANNEL}, 'the last'")
    await eventually_async(lambda: "the last" in received, that="all before it is received")

    await listening.close()
    assert 1 <= received.count("api") <= min(passed / INTERVAL_SECONDS + 1, times / 2)


async def test_a_listener_ignores_the_notifications_of_its_own_process(postgresql_url: str) -> None:
    received = list[None]()
    connect = PostgresAddress(postgresql_url).connect
    own, other = CommitNotifier(connect, "own"), CommitNotifier(connect, "other")
    listener = CommitListener(connect, "own", lambda: received.append(None))
    listener.start()
    await eventually_async(lambda: listener.listening, that="it listens")
    received.clear()

    own.notify()
    await own.close()
    other.notify()
    await eventually_async(lambda: received, that="the other's notification is received")

    await listener.close()
    await other.close()
    assert len(received) == 1


async def test_a_listener_that_is_disconnected_reconnects_and_reads_missed_events(
    postgresql_url: str, process: Opened
) -> None:
    api, other = await process(postgresql_url), await process(postgresql_url)
    sever = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orderflow listener'"

    news = await listening(other)

    async with api.storage().database.reading() as connection:
        looked = await woken(news, connection.exec_driver_sql(sever))
    await eventually_async(lambda: other.commit_listener().listening, that="it listens again")
    received = await woken(news, order(api))

    assert (looked, received) == (True, True)


async def test_a_notifier_that_is_disconnected_notifies_of_the_next_commit(
    postgresql_url: str, process: Opened
) -> None:
    api, other = await process(postgresql_url), await process(postgresql_url)
    await order(api, "first")
    before = await idle_connection(api)
    async with api.storage().database.reading() as connection:
        sever = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orderflow notifier'"
        await connection.exec_driver_sql(sever)
    await eventually_async(before.is_closed, that="it is cut off")

    assert await woken(await listening(other), order(api, "second"))


async def test_commits_continue_if_notifications_fail(
    postgresql_url: str, process: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orderflow.commit_notifier")
    api = await process(postgresql_url)
    api.commit_notifier().connect = PostgresAddress(f"postgresql://127.0.0.1:{free_port()}/nowhere").connect

    await asyncio.gather(*(order(api, f"o{number}") for number in range(20)))

    assert sum((await api.storage().log.heads()).values()) == 20
    await eventually_async(
        lambda: "other processes are not notified of commits" in caplog.text, that="the failure is logged"
    )


async def test_a_listener_that_cannot_connect_logs_it_and_retries_with_back_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nowhere = PostgresAddress(f"postgresql://127.0.0.1:{free_port()}/nowhere").connect
    listener = CommitListener(
        partial(nowhere, "orderflow listener"), "own", lambda: None, Backoff(0.01, 0.02, lambda: 1.0)
    )

    listener.start()
    await eventually_async(lambda: caplog.text.count("found by polling") >= 3, that="it has tried three times")
    await listener.close()

    assert [record.seconds for record in caplog.records[:3]] == [0.01, 0.02, 0.02]  # type: ignore[attr-defined]


async def test_a_listener_on_a_server_that_became_read_only_connects_again(
    postgresql_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.adapters.sql.commit_notifications.SILENCE_SECONDS", 0.05)
    connect = PostgresAddress(f"{postgresql_url}?default_transaction_read_only=on").connect
    connected = list[Any]()

    async def once_more() -> Any:
        connected.append(await connect())
        return connected[-1]

    listener = CommitListener(once_more, "own", lambda: None, Backoff(0.01, 0.02))
    listener.start()
    await eventually_async(lambda: len(connected) >= 2, that="it has connected again")
    await listener.close()

    assert "the server that it listens on is read-only" in caplog.text
    assert connected[0].is_closed()


async def test_a_notifier_on_a_server_that_became_read_only_notifies_through_another_connection(
    postgresql_url: str, process: Opened
) -> None:
    api, other = await process(postgresql_url), await process(postgresql_url)
    await order(api, "first")
    before = await idle_connection(api)
    await before.execute("SET default_transaction_read_only = on")

    assert await woken(await listening(other), order(api, "second"))
    assert before.is_closed()
