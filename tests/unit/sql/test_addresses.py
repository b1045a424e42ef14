"""The database addresses that are accepted, and the errors for others."""

import asyncio
import gc
import sys
from contextlib import suppress
from typing import Any

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.engines import PostgresAddress
from orderflow.domain.errors import InvalidInput, NotConfigured


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:password@host:5432/orders",
        "postgres://host/orders?sslmode=require",
        "sqlite:///orders.db",
        "sqlite:////var/lib/orders.db",
    ],
)
async def test_an_address_of_a_known_kind_is_taken_without_connecting(url: str) -> None:
    storage = SqlStorage.at(url)

    assert storage.database.backend == url[:6].replace("postgr", "postgresql")
    await storage.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "orders.db",
        "mysql://root:s3cret@host/orders",
        "postgresql+psycopg://u:s3cret@host/orders",
        "sqlite://",
        "sqlite:///",
        "sqlite://orders.db",
        "sqlite:///:memory:",
    ],
)
def test_any_other_address_is_refused_with_what_is_allowed_and_without_its_secrets(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SqlStorage.at(url)

    assert "postgresql://" in refused.value.allowed
    assert "s3cret" not in str(refused.value)


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(NotConfigured) as refused:
        SqlStorage.at("postgresql://host/orders")

    assert refused.value.fix == "pip install 'orderflow-service[postgres]'"


async def test_connecting_that_is_given_up_at_any_moment_leaves_nothing_for_asyncio_to_complain_of() -> None:
    client_errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: client_errors.append(complaint))
    accepted: list[object] = []  # a connection that nothing refers to is closed from Python 3.13 on
    silent = await asyncio.start_server(lambda *streams: accepted.append(streams), "127.0.0.1")
    address = PostgresAddress(f"postgresql://anybody@127.0.0.1:{silent.sockets[0].getsockname()[1]}/orders")

    for turns in range(12):
        connecting = asyncio.create_task(address.connect())
        for _ in range(turns):
            await asyncio.sleep(0)  # one turn of the loop
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting
        await asyncio.sleep(0)
    silent.close()
    gc.collect()

    assert client_errors == []
