"""Crash points: numbered calls by which a process reaches the outside world, at any of which a fault can be injected.

They are numbered in the order of the calls, stage by stage, so that the same work meets the same crash points again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from attrs import define, field, frozen

from ..domain.errors import ChannelUnavailable, GatewayUnavailable, StorageUnavailable, StreamUnavailable


class ProcessDied(BaseException):
    """The process is no more. No Exception, so that nothing inside of the process can go on after it."""


class CrashPointFault(StrEnum):
    """The fault at a crash point: the process dies there, or the call fails, before it was done or after."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    REFUSED = "is refused"
    UNANSWERED = "gets no answer from"


DEATHS = (CrashPointFault.DIES_BEFORE, CrashPointFault.DIES_AFTER)
FAILURES = (CrashPointFault.REFUSED, CrashPointFault.UNANSWERED)

Failure = Callable[[str], Exception]
"""Makes the error that a failing crash point raises, from a description of the problem."""
STORAGE: Failure = partial(StorageUnavailable, "storage")
STREAM: Failure = partial(StreamUnavailable, "stream")
GATEWAY: Failure = partial(GatewayUnavailable, "gateway")
CHANNEL: Failure = partial(ChannelUnavailable, "email")


@frozen
class CrashPoint:
    """One call: the ``number``-th in a turn of a ``stage`` of the work (a request, a batch of the relay's)."""

    stage: str
    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.stage}, {self.number})"


ConnectionFailure = Callable[[CrashPoint], CrashPointFault | None]
"""Returns the fault to inject at this crash point, or None."""


def none(crash_point: CrashPoint) -> None:
    """Nothing ever happens."""


@define
class EachOnce:
    """Meets each of ``hows`` once at every crash point. ``met`` are all that were met."""

    hows: Sequence[CrashPointFault]
    met: dict[tuple[CrashPoint, CrashPointFault], None] = field(factory=dict, init=False)

    def __call__(self, crash_point: CrashPoint) -> CrashPointFault | None:
        for how in self.hows:
            if (crash_point, how) not in self.met:
                self.met[crash_point, how] = None
                return how
        return None


@define
class AtCrashPoint:
    """Injects one fault at the ``at``-th crash point that is reached; ``met`` is that crash point."""

    at: int
    how: CrashPointFault
    come_to: int = field(default=0, init=False)
    met: CrashPoint | None = field(default=None, init=False)

    def __call__(self, crash_point: CrashPoint) -> CrashPointFault | None:
        self.come_to += 1
        if self.come_to != self.at:
            return None
        self.met = crash_point
        return self.how


@define
class CrashPoints:
    """All crash points of one process. ``troubles`` counts those that it met, at most one in each turn of a stage.

    Once dead the process reaches nothing any more, whatever its clean-up tries.
    """

    trouble: ConnectionFailure = none
    stage: str = field(default="", init=False)
    troubles: int = field(default=0, init=False)
    dead: bool = field(default=False, init=False)
    _number: int = field(default=0, init=False)
    _spared: bool = field(default=False, init=False)

    def enter(self, stage: str) -> None:
        """From here on the work is of that stage, or of another turn of it."""
        self.stage, self._number, self._spared = stage, 0, False

    @contextmanager
    def crossing(self, name: str, failure: Failure = STORAGE) -> Iterator[None]:
        """Around one call; raises ProcessDied, or ``failure``, where trouble waits."""
        self._must_live()
        self._number += 1
        crash_point = CrashPoint(self.stage, self._number, name)
        how = None if self._spared else self.trouble(crash_point)
        if how in (CrashPointFault.DIES_BEFORE, CrashPointFault.REFUSED):
            self._strike(crash_point, how, failure)
        yield
        self._must_live()
        if how in (CrashPointFault.DIES_AFTER, CrashPointFault.UNANSWERED):
            self._strike(crash_point, how, failure)

    def _strike(self, crash_point: CrashPoint, how: CrashPointFault, failure: Failure) -> None:
        self.troubles += 1
        self._spared = True
        if how in FAILURES:
            raise failure(f"it {how} {crash_point}")
        self.dead = True
        raise ProcessDied(f"it {how} {crash_point}")

    def _must_live(self) -> None:
        if self.dead:
            raise ProcessDied("it is dead already")


@frozen
class NumberedCalls:
    """``inner``, each of whose coroutine methods is a crash point; all else is as it is, and so is closing.

    The method ``first`` begins a turn of the stage's work, whose crash points are numbered anew.
    """

    inner: Any
    crash_points: CrashPoints
    room: str
    failure: Failure = STORAGE
    first: str = ""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name == "close" or not iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            if name == self.first:
                self.crash_points.enter(self.crash_points.stage)
            with self.crash_points.crossing(f"{self.room}.{name}", self.failure):
                return await found(*arguments, **named)

        return call
