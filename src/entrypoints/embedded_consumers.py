"""The consumers and handlers that run inside an application."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from attrs import define, field

from ..application.backoff import RateLimit
from ..application.consuming.consumer import BatchResult, Consumer
from ..application.consuming.dead_letter import DeadLetter
from ..application.consuming.declaring import Declaration
from ..application.consuming.handlers import HandlerConsumer
from ..application.consuming.log_source import LogEventSource
from ..application.consuming.run_consumer import RunConsumer
from ..application.dead_letters.redrive import RedriveResult
from ..application.event_log.records import LogRecord, UnrecognizedRecord
from ..application.replay.replay_range import ReplayResult, ReplayStart
from ..application.webhooks.endpoint import WEBHOOKS
from ..domain.errors import InvalidInput
from ..domain.text import identifier
from .consumer_loops import Handle, consumer_loop, handler_loop, sending
from .container import Container
from .settings import RESERVED_NAMES
from .wiring.lifespan import listen_for_commits
from .wiring.storage_and_consumers import ShippedTransaction

CANCELLED_WITHIN = 2.0
"""The seconds in which what was cancelled has to end; then the flow is closed without it."""
logger = logging.getLogger("orderflow")


@define(eq=False)
class EmbeddedConsumers:
    """Runs consumers and handlers as tasks of this event loop, until it is closed.

    ``_failures`` are the errors of the events that were parked, by consumer and order.
    """

    _container: Container
    _running: dict[str, Consumer[ShippedTransaction]] = field(factory=dict, init=False)
    _handlers: dict[str, tuple[HandlerConsumer, asyncio.Lock]] = field(factory=dict, init=False)
    _tasks: dict[str, "asyncio.Task[None]"] = field(factory=dict, init=False)
    _copying: "asyncio.Task[None] | None" = field(default=None, init=False)
    _sending: "asyncio.Future[None] | None" = field(default=None, init=False)
    _stop: asyncio.Event = field(factory=asyncio.Event, init=False)
    _failures: dict[tuple[str, str], Exception] = field(factory=dict, init=False)

    def start(self, name: str) -> None:
        """Run a consumer of the container."""
        loop = consumer_loop(self._container, name, event_failed=self._event_failed)
        self._start(self._container.consumers()[name], loop)

    def register(self, declared: Declaration) -> None:
        """Run a handler. Raises InvalidInput for a name that is taken."""
        function: Any = declared.handler if hasattr(declared.handler, "__qualname__") else type(declared.handler)
        reader = identifier(declared.name or f"{function.__module__}.{function.__qualname__}"[-64:], field="name")
        if reader in self._tasks or reader in RESERVED_NAMES:
            raise InvalidInput("name", f"{reader!r} is taken", "a different name for each handler")
        consumer = HandlerConsumer(reader, declared.types, declared.handler, declared.batch)
        turn = asyncio.Lock()

        def in_turn(handle: Handle) -> Handle:
            async def handle_in_turn(records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
                async with turn:
                    return await handle(records)

            return handle_in_turn

        self._handlers[reader] = consumer, turn
        source = self._container.log_source()(reader)
        self._start(
            consumer,
            handler_loop(self._container, consumer, declared, source, event_failed=self._event_failed, around=in_turn),
        )

    async def redrive(
        self, name: str, order_id: str | None, *, error: str | None, by: str, reason: str, rate: float | None
    ) -> RedriveResult:
        """Redrive the parked orders of ``name``. Raises InvalidInput, StorageUnavailable."""
        if name not in self._running:
            raise InvalidInput("name", f"{name!r} does not run here", ", ".join(self._running) or "none")
        redrive = self._container.redrive(consumer=self._running[name])
        return await redrive(order_id, error=error, by=by, reason=reason, pace=RateLimit(rate))

    async def replay(self, name: str, start: str, *, by: str, reason: str, source: str) -> ReplayResult:
        """Have ``name`` handle past events again. Raises InvalidInput, NotConfigured, OrderNotFound, Unavailable."""
        consumer, turn = self._handlers.get(name) or (self._container.consumers().get(name), nullcontext())
        if consumer is None:
            known = (*self._container.consumers(), *self._handlers)
            raise InvalidInput("name", f"{name!r} is not a handler or consumer", ", ".join(known))
        replay = self._container.replay_events(consumer=consumer)
        async with turn:
            return await replay(ReplayStart.parse(start), by=by, reason=reason, source=source)

    async def settled(self, timeout: float) -> None:
        """Wait until all events of the log were handled. Raises the error of a failure, and TimeoutError."""
        behind: list[str] = []
        try:
            async with asyncio.timeout(timeout):
                while behind := await self._behind():
                    for task in self._tasks.values():
                        if task.done():
                            await task
                    await asyncio.sleep(0.005)
        except TimeoutError:
            problem = f"after {timeout:g} s, events are left for {', '.join(behind) or 'consumers'}"
            if (last := self._container.process_registration().failures.last) is not None:
                problem += f"; the last failure is of {last.part}: {last.message or last.code}"
            raise TimeoutError(problem) from next(reversed(self._failures.values()), None)
        await self._raise_failure()

    async def close(self) -> None:
        """Let handlers and consumers finish. After ``stop_seconds`` they are cancelled, also one that never returns.

        Raises the first error of those that failed.
        """
        self._stop.set()
        self._container.news().notify()
        running = [*self._tasks.values(), *(it for it in (self._copying, self._sending) if it is not None)]
        if not running:
            return
        try:
            await asyncio.wait(running, timeout=self._container.settings().stop_seconds)
        finally:
            for task in running:
                task.cancel()
            done, stuck = await asyncio.wait(running, timeout=CANCELLED_WITHIN)
        if stuck:
            logger.error(
                "parts did not stop in time, and are left",
                extra={"parts": [name for name, task in self._tasks.items() if task in stuck]},
            )
        failures = [it.exception() for it in done if not it.cancelled()]
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure

    async def _raise_failure(self) -> None:
        """Raise the first error of those that have parked an order, and forget all."""
        failures, self._failures = self._failures, {}
        dead_letters = self._container.effects().dead_letters
        parked = {(it.consumer, it.record.order_id) for name in self._tasks for it in await dead_letters.blocking(name)}
        if found := [(name, order, error) for (name, order), error in failures.items() if (name, order) in parked]:
            for name, order, error in found:
                found[0][2].add_note(f"{name} has parked order {order}: {type(error).__name__}")
            raise found[0][2]

    def _event_failed(self, dead_letter: DeadLetter, error: Exception) -> None:
        self._failures[dead_letter.consumer, dead_letter.record.order_id] = error

    async def _behind(self) -> list[str]:
        """Return the names of the consumers and handlers that have work left."""
        storage = self._container.storage()
        before = dict(await storage.log.heads())
        behind = []
        for name in self._tasks:
            positions = await storage.cursors.positions(name)
            if name == WEBHOOKS and not positions:
                continue  # without an endpoint it handles nothing
            if {bucket: at for bucket, at in positions.items() if at} != before:
                behind.append(name)
        if "inventory" in self._tasks and await self._container.effects().shortages.unsettled(1):
            behind.append("inventory")
        return behind if behind or dict(await storage.log.heads()) == before else list(self._tasks)

    def _start(self, consumer: Consumer[ShippedTransaction], loop: RunConsumer) -> None:
        name = consumer.name
        self._container.process_registration().runs(name, loop.source)
        if isinstance(loop.source, LogEventSource):
            listen_for_commits(self._container)
        if self._copying is None and (copying := self._container.copying()) is not None:
            self._copying = asyncio.get_running_loop().create_task(copying(self._stop), name="copying")
        if name == WEBHOOKS:
            self._sending = asyncio.ensure_future(sending(self._container)(self._stop))
        self._running[name] = consumer
        self._tasks[name] = asyncio.get_running_loop().create_task(loop(self._stop), name=name)
