"""Every call by which a process reaches the world outside is a door with a number, and trouble can wait at any of them.

Doors are numbered as they are come to, stage by stage, so that the same work meets the same doors again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from attrs import define, field, frozen
from orderflow.domain.errors import ChannelUnavailable, GatewayUnavailable, StorageUnavailable, StreamUnavailable


class Died(BaseException):
    """The process is no more. No Exception, so that nothing inside of the process can go on after it."""


class How(StrEnum):
    """What happens at a door: the process dies there, or the call fails, before it was done or after."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    REFUSED = "is refused"
    UNANSWERED = "gets no answer from"


DEATHS = (How.DIES_BEFORE, How.DIES_AFTER)
FAILURES = (How.REFUSED, How.UNANSWERED)

Failure = Callable[[str], Exception]
"""What a door raises when it fails, with the problem in words."""
STORAGE: Failure = partial(StorageUnavailable, "storage")
STREAM: Failure = partial(StreamUnavailable, "stream")
GATEWAY: Failure = partial(GatewayUnavailable, "gateway")
CHANNEL: Failure = partial(ChannelUnavailable, "email")


@frozen
class Door:
    """One call: the ``number``-th in a turn of a ``stage`` of the work (a request, a batch of the relay's)."""

    stage: str
    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.stage}, {self.number})"


ConnectionFailure = Callable[[Door], How | None]
"""What waits at a door that is come to now, if anything."""


def none(door: Door) -> None:
    """Nothing ever happens."""


@define
class EachOnce:
    """Every door meets each of ``hows`` once, as often as the process has to come back for that. ``met`` are all."""

    hows: Sequence[How]
    met: dict[tuple[Door, How], None] = field(factory=dict, init=False)

    def __call__(self, door: Door) -> How | None:
        for how in self.hows:
            if (door, how) not in self.met:
                self.met[door, how] = None
                return how
        return None


@define
class AtDoor:
    """One trouble at the ``at``-th door that anybody comes to; ``met`` says where that was."""

    at: int
    how: How
    come_to: int = field(default=0, init=False)
    met: Door | None = field(default=None, init=False)

    def __call__(self, door: Door) -> How | None:
        self.come_to += 1
        if self.come_to != self.at:
            return None
        self.met = door
        return self.how


@define
class Doors:
    """All doors of one process. ``troubles`` counts those that it met, at most one in each turn of a stage.

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
        """Around one call; raises Died, or ``failure``, where trouble waits."""
        self._must_live()
        self._number += 1
        door = Door(self.stage, self._number, name)
        how = None if self._spared else self.trouble(door)
        if how in (How.DIES_BEFORE, How.REFUSED):
            self._strike(door, how, failure)
        yield
        self._must_live()
        if how in (How.DIES_AFTER, How.UNANSWERED):
            self._strike(door, how, failure)

    def _strike(self, door: Door, how: How, failure: Failure) -> None:
        self.troubles += 1
        self._spared = True
        if how in FAILURES:
            raise failure(f"it {how} {door}")
        self.dead = True
        raise Died(f"it {how} {door}")

    def _must_live(self) -> None:
        if self.dead:
            raise Died("it is dead already")


@frozen
class Numbered:
    """``inner``, each of whose coroutine methods is a door; all else is as it is, and so is closing.

    The method ``first`` begins a turn of the stage's work, whose doors are numbered anew.
    """

    inner: Any
    doors: Doors
    room: str
    failure: Failure = STORAGE
    first: str = ""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name == "close" or not iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            if name == self.first:
                self.doors.enter(self.doors.stage)
            with self.doors.crossing(f"{self.room}.{name}", self.failure):
                return await found(*arguments, **named)

        return call
