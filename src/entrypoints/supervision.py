"""Supervision of the parts of a process: one that fails is started again, and the others continue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from attrs import define, field

from ..adapters.telemetry import Instruments
from ..adapters.telemetry.metrics import catalogue
from ..application.backoff import Backoff, pause
from ..application.contained import contained
from ..application.redaction import code_of, error_text
from ..domain.errors import LogBehindTopic, NotConfigured
from .process_registration import ProcessRegistration
from .shutdown import Stopping

RECOVERED_SECONDS = 30.0
"""The time after which a part that was started again counts as running; a part that refuses does so sooner."""

logger = logging.getLogger("orderflow.processes")

Part = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set."""


def _backoff() -> Backoff:
    return Backoff(first=1.0, longest=60.0)


@define(eq=False, kw_only=True)
class Supervisor:
    """Runs the ``parts`` of a process until it stops, and starts a part that fails again after a pause.

    ``parts`` make a part anew for each start. Nothing keeps a part from being started again, also not LogBehindTopic:
    it then continues as soon as the log is repaired. The process ends with the error if a part in ``needed`` fails, if
    a setting is missing, or if no part is left that runs; parts in ``background`` do not count. An error is logged
    and noted in ``registration``, which shows the part as stopped until it has run for RECOVERED_SECONDS.
    """

    parts: Mapping[str, Callable[[], Part]]
    needed: frozenset[str]
    background: frozenset[str]
    registration: ProcessRegistration
    stopping: Stopping
    wake: Callable[[], None]
    instruments: Instruments
    backoff: Callable[[], Backoff] = _backoff
    recovered_seconds: float = RECOVERED_SECONDS
    _running: set[str] = field(factory=set, init=False)
    _stopped: dict[str, Exception] = field(factory=dict, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set. Raises the error of a part that has failed and not recovered by then."""
        self.stopping.watch(lambda: tuple(self._running))
        for name in self.parts:
            self.instruments.set(catalogue.PART_STOPPED, 0, process_part=name)
        try:
            async with asyncio.TaskGroup() as group:
                for name, make in self.parts.items():
                    group.create_task(self._keep_running(name, make, stop), name=name)
        except* Exception as failures:  # noqa: BLE001  # nothing is swallowed: the first error stands for all
            raise failures.exceptions[0] from None
        for error in self._stopped.values():
            raise error

    async def _keep_running(self, name: str, make: Callable[[], Part], stop: asyncio.Event) -> None:
        backoff = self.backoff()
        while not stop.is_set():
            began = monotonic()
            try:
                await self._run(name, make(), stop)
            except Exception as error:
                self._note(name, error)
                if self._ends_process(name, error):
                    self._end(stop)
                    raise
                if monotonic() - began >= self.recovered_seconds:
                    backoff.reset()
                seconds = backoff.pause()
                logger.critical(
                    "%s has stopped and is started again: %s",
                    name,
                    error_text(error),
                    extra={"part": name, "error": code_of(error), "seconds": seconds},
                    exc_info=None if isinstance(error, LogBehindTopic) else error,
                )
                await pause(stop, seconds)
            else:
                self._end(stop)  # a part ends by itself only when the process stops
        logger.info("stopped", extra={"part": name})

    async def _run(self, name: str, part: Part, stop: asyncio.Event) -> None:
        logger.info("started", extra={"part": name})
        self._running.add(name)
        recovery = asyncio.get_running_loop().call_later(self.recovered_seconds, self._recovered, name)
        try:
            with contained(name):
                await part(stop)
        finally:
            recovery.cancel()
            self._running.discard(name)

    def _note(self, name: str, error: Exception) -> None:
        self._stopped[name] = error
        self.instruments.set(catalogue.PART_STOPPED, 1, process_part=name)
        self.registration.stops(name, code_of(error))
        if not isinstance(error, LogBehindTopic):  # which the part has noted itself
            self.registration.failures.note(name, error)

    def _recovered(self, name: str) -> None:
        if self._stopped.pop(name, None) is not None:
            self.registration.runs_again(name)
            self.instruments.set(catalogue.PART_STOPPED, 0, process_part=name)
            logger.info("%s runs again", name, extra={"part": name})

    def _ends_process(self, name: str, error: Exception) -> bool:
        counted = self.parts.keys() - self.background
        return name in self.needed or isinstance(error, NotConfigured) or counted <= self._stopped.keys()

    def _end(self, stop: asyncio.Event) -> None:
        stop.set()
        self.stopping.begin(asyncio.get_running_loop())
        self.wake()
