"""A writer that hangs in the middle of a transaction, simulated in one process."""

import asyncio

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.event_log import log_heads
from orderflow.domain.errors import StorageUnavailable
from orderflow.testing.orders import placed
from sqlalchemy import update


async def silent_while_another_writes(silent: SqlStorage, other: SqlStorage) -> None:
    """``silent`` takes positions of all buckets, says nothing until ``other`` has placed O1, and has lost them then."""
    holding, written = asyncio.Event(), asyncio.Event()

    async def take_and_wait() -> None:
        async with silent.database.writing() as connection:
            await connection.execute(update(log_heads).values(position=log_heads.c.position + 1))
            holding.set()
            await written.wait()

    held = asyncio.create_task(take_and_wait())
    taken = asyncio.create_task(holding.wait())
    while not (await asyncio.wait({held, taken}, return_when=asyncio.FIRST_COMPLETED))[0] & {taken}:
        with pytest.raises(StorageUnavailable):  # on a busy machine it is silent before it takes anything: again
            await held
        held = asyncio.create_task(take_and_wait())
    await placed(other)
    written.set()

    with pytest.raises(StorageUnavailable):
        await held
