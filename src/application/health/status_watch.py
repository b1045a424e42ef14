"""The status of an installation for many who watch it: observed once a second at most, with the lags so far."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic

from attrs import define, field, frozen

from .observation import Observation
from .status import Status, status_of

FRESH_SECONDS = 1.0
REMEMBERED = 300
"""Observations of which the lags are remembered: ten minutes of one every two seconds."""


@frozen(kw_only=True)
class LagSample:
    """The events that each reader had to come at a time, and the events that were committed per second before it."""

    at: datetime
    committed_per_second: float | None
    events: Mapping[str, int]


@define(eq=False)
class StatusWatch:
    """Reads the status once for all concurrent requests, with rates since the observation before."""

    observe: Callable[[], Awaitable[Observation]]
    version: str
    clock: Callable[[], float] = monotonic
    _before: Observation | None = field(default=None, init=False)
    _status: Status | None = field(default=None, init=False)
    _read_at: float = field(default=float("-inf"), init=False)
    _turn: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _samples: deque[LagSample] = field(factory=lambda: deque(maxlen=REMEMBERED), init=False)

    async def __call__(self) -> tuple[Status, Sequence[LagSample]]:
        """Return the status, and the lags of this and earlier observations."""
        async with self._turn:
            if self._status is None or self.clock() - self._read_at >= FRESH_SECONDS:
                observation = await self.observe()
                self._status = status_of(observation, self._before, version=self.version)
                self._before, self._read_at = observation, self.clock()
                if self._status.readers is not None:
                    events = {each.reader: each.events for each in self._status.readers}
                    rate = self._status.committed_per_second
                    self._samples.append(LagSample(at=observation.at, committed_per_second=rate, events=events))
            return self._status, tuple(self._samples)
