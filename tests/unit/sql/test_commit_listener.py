"""The listener of commits is closed, and its closing can be cancelled. The connection is a double."""

import asyncio
from typing import Any
from unittest.mock import MagicMock

import pytest
from orderflow.adapters.sql.commit_notifications import CommitListener
from orderflow.application.noop import noop
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async


@pytest.fixture
def connection(mocker: MockerFixture) -> MagicMock:
    connection: MagicMock = mocker.MagicMock()
    connection.add_listener = mocker.AsyncMock()
    return connection


async def listening(connection: MagicMock) -> CommitListener:
    async def connect() -> Any:
        return connection

    listener = CommitListener(connect, "own", noop)
    listener.start()
    await eventually_async(lambda: listener.listening, that="it listens")
    return listener


async def test_a_cancellation_while_it_closes_is_not_lost(connection: MagicMock) -> None:
    listener = await listening(connection)
    closing = asyncio.create_task(listener.close())
    await asyncio.sleep(0)

    closing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await closing
    connection.terminate.assert_called_once_with()


async def test_it_can_be_closed_twice(connection: MagicMock) -> None:
    listener = await listening(connection)

    await listener.close()
    await listener.close()

    connection.terminate.assert_called_once_with()
