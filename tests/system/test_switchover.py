"""A planned switchover of the database: all processes continue on the new primary, and nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from attrs import define, field
from orderflow.adapters.sql import SqlStorage
from orderflow.domain.errors import StorageUnavailable
from orderflow.testing.orders import placed

from tests.faults.campaign.proxy import Link
from tests.support.commands import order_json
from tests.support.databases import migrated_database
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.kafka import KafkaBroker
from tests.support.postgres import LocalPostgres, ask_at
from tests.support.servers import free_port, obtain, started
from tests.support.stack import Stack
from tests.support.waiting import eventually, eventually_async
from tests.unit.recovery.histories import begun

CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@pytest.fixture
def primary() -> Iterator[LocalPostgres]:
    server = started(obtain(LocalPostgres))
    yield server
    server.close()


@pytest.fixture
def standby(primary: LocalPostgres) -> Iterator[LocalPostgres]:
    server = obtain(LocalPostgres)
    server.follow(primary)
    yield server
    server.close()


@define
class Customer:
    """Places orders one after the other, and repeats a request that was not answered with 201."""

    url: str
    placed: list[str] = field(factory=list)
    refused: list[int] = field(factory=list)
    enough: Event = field(factory=Event)

    def __call__(self) -> None:
        with httpx.Client(timeout=180) as client:
            for number in count():
                if self.enough.is_set():
                    return
                self._place(client, f"o{number}")

    def _place(self, client: httpx.Client, order_id: str) -> None:
        while not self.enough.is_set():
            answer = client.post(f"{self.url}/v1/orders", content=order_json(order_id), headers=CUSTOMER)
            if answer.status_code in (200, 201):
                self.placed.append(order_id)
                return
            self.refused.append(answer.status_code)


@pytest.fixture
async def moving(primary: LocalPostgres) -> AsyncIterator[Link]:
    """An address that leads to the primary, and to another server later."""
    link = Link(free_port(), _port(primary.url))
    await link.open()
    yield link
    await link.close()


def test_api_relay_and_consumers_continue_on_the_new_primary(
    tmp_path: Path, primary: LocalPostgres, standby: LocalPostgres, kafka: KafkaBroker, topic_name: str
) -> None:
    kafka.create_topic(topic_name)
    url = standby.or_primary(migrated_database(primary))
    with installation(Stack(tmp_path, url, kafka.bootstrap_servers, topic_name)) as orderflow:
        _switch_over(orderflow, primary, standby)


async def test_pooled_connections_to_a_server_that_became_read_only_are_replaced_by_use(
    primary: LocalPostgres, standby: LocalPostgres, moving: Link
) -> None:
    database = migrated_database(primary)
    await asyncio.to_thread(eventually, lambda: _known(standby, database), that="the standby has the database")
    writer, reader = (SqlStorage.at(_at(database, moving.port)) for _ in range(2))
    for storage in (writer, reader):
        await storage.open()
        await asyncio.gather(*(storage.log.heads() for _ in range(8)))

    await asyncio.to_thread(_set_read_only, primary)
    with pytest.raises(StorageUnavailable, match="read-only"):
        await eventually_async(writer.ping, deadline=0, that="it is not writable")
    await asyncio.to_thread(standby.promote)
    await asyncio.to_thread(eventually, lambda: not standby.ask("SELECT pg_is_in_recovery()"))
    moving.upstream = _port(standby.url)

    async def is_placed() -> bool:
        try:
            await placed(writer, "o1")
        except StorageUnavailable:
            return False
        return True

    async def is_read() -> bool:
        return bool(await reader.log.heads()) and bool(await reader.log.history("o1"))

    await eventually_async(is_placed, that="the order is placed on the new primary")
    await eventually_async(is_read, that="a process that only reads finds it there")
    await writer.ping()
    for storage in (writer, reader):
        await storage.close()


async def test_a_session_that_survives_a_switchover_returns_nothing_from_the_former_primary(
    primary: LocalPostgres, standby: LocalPostgres
) -> None:
    database = migrated_database(primary)
    await asyncio.to_thread(eventually, lambda: _known(standby, database), that="the standby has the database")
    survivors = [SqlStorage.at(url) for url in (*[standby.or_primary(database)] * 4, database)]
    for storage in survivors:
        await storage.open()
    bodies, heads, history, epochs, one_host = survivors
    await asyncio.to_thread(_set_read_only, primary)
    await asyncio.to_thread(standby.promote)
    promoted = SqlStorage.at(_at(database, _port(standby.url)))
    await promoted.open()
    await placed(promoted, "o1")
    await promoted.epochs.begin(begun(2, {}))
    [record] = await promoted.log.history("o1")

    assert await bodies.log.bodies([record.address]) == {record.address: record.body}
    assert await heads.log.heads() == {record.bucket: 1}
    assert await history.log.history("o1") == [record]
    assert (await epochs.epochs.all()).now == 2
    assert await one_host.log.heads() == {}, "reading from a server that is known to be read-only is possible"
    with pytest.raises(StorageUnavailable, match="read-only"):
        await one_host.log.bodies([record.address])
    for storage in (*survivors, promoted):
        await storage.close()


def _switch_over(orderflow: Installation, primary: LocalPostgres, standby: LocalPostgres) -> None:
    service = orderflow.start("serve", OPS_PORT="0")
    customer = Customer(service.url)
    thread = Thread(target=customer)
    thread.start()
    try:
        eventually(lambda: len(customer.placed) >= 20, that="orders are placed on the old primary")

        _read_only(primary)
        eventually(lambda: len(customer.refused) >= 3, that="orders are refused")
        eventually(lambda: not _ready(service), that="the process is not ready")
        for part in ("relay", "analytics"):
            service.line(f"{part} waits")
        end = primary.ask("SELECT pg_current_wal_lsn()::text")
        eventually(lambda: standby.ask(f"SELECT pg_last_wal_replay_lsn() >= '{end}'"), that="the standby has it all")
        before = len(customer.placed)
        standby.promote()

        eventually(lambda: len(customer.placed) >= before + 20, that="orders are placed on the new primary")
        eventually(lambda: _ready(service), that="the process is ready again")
    finally:
        customer.enough.set()
        thread.join()
    assert orderflow.run("check", "--wait", "120")["clean"]
    ended = service.exit_code(signal.SIGTERM)

    stored = ask_at(_at(orderflow.stack.database_url, _port(standby.url)), "SELECT array_agg(id) FROM orders")
    assert set(customer.placed) <= set(stored)
    assert set(customer.refused) == {503}
    assert ended == 0, service.said()[-3000:]
    assert "Traceback" not in service.said()


def _read_only(primary: LocalPostgres) -> None:
    """As a tool for switchovers does: the primary takes no more writes, and its sessions are ended."""
    _set_read_only(primary)
    primary.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'orderflow%' "
        "AND pid <> pg_backend_pid()"
    )


def _set_read_only(primary: LocalPostgres) -> None:
    primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    primary.execute("SELECT pg_reload_conf()")
    eventually(lambda: primary.ask("SHOW default_transaction_read_only") == "on")


def _known(standby: LocalPostgres, database: str) -> bool:
    name = urlsplit(database).path.removeprefix("/")
    return bool(standby.ask(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"))


def _port(url: str) -> int:
    return urlsplit(url).port or 0


def _at(url: str, port: int) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=f"orderflow@127.0.0.1:{port}", query=""))


def _ready(service: RunningProcess) -> bool:
    return httpx.get(f"{service.url}/readyz", timeout=180).status_code == 200
