"""The time of a day that people watch."""

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from ...domain.errors import InvalidInput
from .clock import MIDNIGHT, VirtualClock

TOGETHER = 16
"""Steps that are executed at the same time. While another one is due, the day waits, so that its orders are in time."""
FASTEST = 100_000


class PacedClock(VirtualClock):
    """The clock and the pace of a day whose speed can be changed, and which can be paused, while it runs.

    A task that has waited ``until`` a second has exactly that time, so that the events of an order are the same bytes
    at every speed. All other tasks have the time that the day has come to.
    """

    def __init__(
        self,
        first: int = 0,
        *,
        speed: float | None = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin ``first`` seconds after midnight, at ``speed`` seconds per second; None is as fast as it can.

        Raises:
            InvalidInput: if ``speed`` is not above 0 and at most FASTEST.
        """
        super().__init__()
        self._monotonic = monotonic
        self._second, self._since = float(first), monotonic()
        self._speed = checked_speed(speed)
        self._paused = self._held = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._running = 0
        self._next: asyncio.Handle | None = None

    def __call__(self) -> datetime:
        """Return the time of the current task, or else that of the day."""
        return self._now.get(None) or MIDNIGHT + timedelta(seconds=int(self.second))

    @property
    def now(self) -> datetime:
        """The time that the day has come to, with fractions of seconds."""
        return MIDNIGHT + timedelta(seconds=self.second)

    @property
    def second(self) -> float:
        """The seconds since midnight that the day has come to."""
        if self._paused or self._held or self._speed is None:
            return self._second
        return self._second + (self._monotonic() - self._since) * self._speed

    @property
    def speed(self) -> float | None:
        """Seconds of the day per second; None is as fast as the steps can be executed."""
        return self._speed

    @property
    def paused(self) -> bool:
        return self._paused

    def change(self, *, speed: float | None, paused: bool) -> None:
        """Go on from now at another speed, or pause. Raises InvalidInput, as when it is made."""
        checked = checked_speed(speed)
        self._go_on_from_here()
        self._speed, self._paused = checked, paused
        self._look()

    async def until(self, second: int) -> None:
        """Return when the day has come to ``second``, which is the task's time then. ``step_done`` has to follow."""
        due = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (second, next(self._numbers), due))
        self._look()
        await due
        self.set(MIDNIGHT + timedelta(seconds=second))

    def step_done(self) -> None:
        """Note that a step has been executed, which began when ``until`` returned."""
        self._running -= 1
        if self._held:
            self._go_on_from_here()
        self._look()

    def _go_on_from_here(self) -> None:
        self._second, self._since, self._held = self.second, self._monotonic(), False

    def _look(self) -> None:
        """Let begin what is due, after the callbacks that are to run now: they may bring a step that is due before."""
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_soon(self._begin_due) if self._waiting else None

    def _begin_due(self) -> None:
        self._next = None
        while self._waiting and not self._paused:
            second, _, due = self._waiting[0]
            if due.done():  # its task was cancelled
                heapq.heappop(self._waiting)
                continue
            if self._speed is not None and (wait := second - self.second) > 0:
                self._next = asyncio.get_running_loop().call_later(wait / self._speed, self._begin_due)
                return
            if self._running >= TOGETHER:
                self._second, self._held = self.second, True
                return
            self._second = max(self._second, float(second)) if self._speed is None else self._second
            heapq.heappop(self._waiting)
            self._running += 1
            due.set_result(None)


def checked_speed(speed: float | None) -> float | None:
    """Return ``speed``. Raises InvalidInput if it is neither None nor above 0 and at most FASTEST."""
    if speed is not None and not 0 < speed <= FASTEST:
        raise InvalidInput("speed", f"{speed:g}", f"max, or a number above 0 and at most {FASTEST:,}")
    return speed
