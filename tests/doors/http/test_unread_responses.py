"""The unread bytes of a client are those that wait on all levels of its connection."""

import asyncio

from orderflow.entrypoints.http.connections import PROGRESS_BYTES, ConnectionLimits, Connections
from orderflow.entrypoints.http.protocol import HttpProtocol
from pytest_mock import MockerFixture


async def test_a_client_that_reads_what_is_encrypted_already_is_not_disconnected(mocker: MockerFixture) -> None:
    encrypted = mocker.create_autospec(asyncio.Transport, instance=True)
    plain = mocker.create_autospec(asyncio.Transport, instance=True)
    plain.get_write_buffer_size.return_value = 1_000_000
    config = mocker.Mock(loaded_app=None, timeout_keep_alive=5)
    protocol = HttpProtocol(Connections(ConnectionLimits()), config, mocker.Mock())
    protocol.transport, protocol.below = plain, encrypted
    waiting = 1_000_000 + 200_000

    encrypted.get_write_buffer_size.return_value = 200_000 - PROGRESS_BYTES
    protocol._unread(waiting)
    read = plain.abort.called
    encrypted.get_write_buffer_size.return_value = 200_000
    protocol._unread(waiting)

    assert (read, plain.abort.called) == (False, True)
    protocol._stop_write_deadline()
