"""Notification of commits within one process."""

import asyncio

from attrs import define, field


@define(eq=False)
class LocalWakeup:
    """Wakes every waiter at each notification. A notification between two waits is not missed."""

    _waiters: set[asyncio.Future[None]] = field(factory=set, init=False)
    _notifications: int = field(default=0, init=False)

    def notify(self) -> None:
        self._notifications += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def listener(self) -> "LocalListener":
        """Return a Wakeup for one waiting loop."""
        return LocalListener(self, self._notifications)


@define(eq=False)
class LocalListener:
    _source: LocalWakeup
    _seen: int

    def notify(self) -> None:
        self._source.notify()

    async def wait(self, at_most: float) -> None:
        if self._seen == self._source._notifications:
            waiter = asyncio.get_running_loop().create_future()
            self._source._waiters.add(waiter)
            try:
                async with asyncio.timeout(at_most):  # before Python 3.12, wait_for may lose a cancellation
                    await waiter
            except TimeoutError:
                pass
            finally:
                self._source._waiters.discard(waiter)
        self._seen = self._source._notifications
