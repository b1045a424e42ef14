"""The clocks and the source of new identifiers, which use-cases get as arguments."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from attrs import define, field

from ..domain.errors import Unavailable

logger = logging.getLogger("orderflow.clock")


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


class NewId(Protocol):
    """Makes identifiers."""

    def __call__(self) -> str:
        """Return an identifier that was never returned before (a UUIDv7 by default)."""
        ...


def utc_now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


@define(eq=False)
class StorageClock:
    """Returns the time of the storage, which all processes share, for what is due at a time or kept for a time.

    ``read`` returns that time. It is read again after ``refresh`` seconds, and in between this process's monotonic
    clock continues it, so that a wrong clock on this machine makes nothing late. While the storage is unavailable, the
    monotonic clock continues, too.
    """

    read: Callable[[], Awaitable[datetime]]
    refresh: float = 10.0
    steady: Callable[[], float] = monotonic
    _last: tuple[datetime, float] | None = field(default=None, init=False)
    _read_again_at: float = field(default=0.0, init=False)

    async def __call__(self) -> datetime:
        """Return the time, aware, in UTC. Raises StorageUnavailable if it was never read."""
        if self._last is None:
            await self._read()
        elif self.steady() >= self._read_again_at:
            self._read_again_at = self.steady() + self.refresh
            try:
                await self._read()
            except Unavailable as error:
                logger.debug("the storage's time is continued without it: %s", error, extra={"error": error.code})
        if self._last is None:
            raise RuntimeError("the time was not read")
        at, read_at = self._last
        return at + timedelta(seconds=self.steady() - read_at)

    async def _read(self) -> None:
        at = await self.read()
        self._last = at, self.steady()
        self._read_again_at = self.steady() + self.refresh
