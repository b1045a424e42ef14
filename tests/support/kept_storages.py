"""Storages that stay open from test to test, on an event loop that stays as well, and are emptied for each."""

import asyncio
from typing import Any

from attrs import define, field
from orderflow.adapters.sql import SqlStorage

from .databases import empty


class KeptLoop(asyncio.SelectorEventLoop):
    """An event loop for many tests. Each ends its tasks; connections and threads stay until :meth:`end`."""

    async def shutdown_asyncgens(self) -> None:
        """Do nothing yet: asyncio warns of every generator that a later test begins."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing yet: later tests use it, too."""

    def close(self) -> None:
        """Stay open."""

    def end(self) -> None:
        self.run_until_complete(super().shutdown_asyncgens())
        self.run_until_complete(super().shutdown_default_executor())
        super().close()


@define(eq=False)
class KeptStorages:
    """Storages by address and settings. Connections, threads and compiled statements are made once, not per test."""

    loop: KeptLoop = field(factory=KeptLoop)
    _open: dict[tuple[object, ...], SqlStorage] = field(factory=dict, init=False)

    async def emptied(self, url: str, **settings: Any) -> SqlStorage:
        """The open storage at ``url``, in which nothing is left; the test's own while it runs, on :attr:`loop`."""
        key = (url, *sorted(settings.items()))
        if key not in self._open:
            self._open[key] = SqlStorage.at(url, **settings)
            await self._open[key].open()
        storage = self._open[key]
        await empty(storage.database)
        return storage

    def close(self) -> None:
        for storage in self._open.values():
            self.loop.run_until_complete(storage.close())
        self._open.clear()
        self.loop.end()
