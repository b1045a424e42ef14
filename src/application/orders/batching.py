"""Work of many callers at once, run in batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from copy import copy
from time import perf_counter
from typing import Generic, TypeVar

from attrs import define, field, frozen

from ...domain.errors import StorageBusy, Unavailable
from ..noop import noop

T = TypeVar("T")
R = TypeVar("R")


@frozen
class BatchObservation:
    """The size of a batch, and the longest time that one of its members waited for it to begin, in seconds."""

    size: int
    waited: float


@define(eq=False)
class _Waiting(Generic[T, R]):
    item: T
    outcome: "asyncio.Future[R]"
    since: float


@frozen
class Batching:
    """The options of a Batcher: the largest batch, the most items that wait, and callbacks for its metrics.

    ``preparation`` is about the time in which a caller who was answered prepares its next item, in seconds.
    """

    size: int = 256
    limit: int = 4096
    preparation: float = 0.0001
    observe: Callable[[BatchObservation], None] = noop
    refused: Callable[[], None] = noop


@define(eq=False)
class Batcher(Generic[T, R]):
    """Runs the items of its callers in batches, one batch at a time.

    A caller who finds nothing running runs alone and at once. Items that come meanwhile make the next batch, so the
    size of the batches follows the load. ``run`` returns an outcome for each item of a batch, or an error that this
    item's caller gets. It has no caller's context: neither trace nor request.

    Callers who are answered often have a next item. If batches take longer than preparing those, they are let in before
    the next batch begins, so that all share it. Otherwise a batch takes half of the callers, and the others prepare
    their items meanwhile. Without that, batches of all callers and of a single one would alternate.

    At most ``options.limit`` items wait; further callers get StorageBusy at once. A caller who is cancelled while
    waiting takes its item back; the item of a batch that has begun is run to its end, and its outcome is dropped.
    """

    run: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]]
    options: Batching = field(factory=Batching)
    _waiting: deque[_Waiting[T, R]] = field(factory=deque, init=False)
    _running: bool = field(default=False, init=False)
    _took: float = field(default=0.0, init=False)
    _draining: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def __call__(self, item: T) -> R:
        """Return the outcome of ``item``. Raises its error, and StorageBusy."""
        if self._running:
            return await self._wait(item)
        self._running = True
        began = perf_counter()
        try:
            self.options.observe(BatchObservation(1, 0.0))
            outcome = (await self.run([item]))[0]
        finally:
            self._took = perf_counter() - began
            self._run_next()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _wait(self, item: T) -> R:
        if len(self._waiting) >= self.options.limit:
            self.options.refused()
            raise StorageBusy(self.options.limit)
        waiting: _Waiting[T, R] = _Waiting(item, asyncio.get_running_loop().create_future(), perf_counter())
        self._waiting.append(waiting)
        return await waiting.outcome

    def _run_next(self) -> None:
        """Run what waits in a task of its own, so that no caller works for the others, or cancels them."""
        if not self._waiting:
            self._running = False
            return
        self._draining = asyncio.get_running_loop().create_task(self._drain(), context=Context())

    async def _drain(self) -> None:
        try:
            answered = 0  # who ran alone has returned already
            while True:
                shared = self._took > self.options.preparation * (len(self._waiting) + answered)
                if shared or not self._waiting:
                    await asyncio.sleep(0)  # the callers who were answered come first
                    answered = 0
                some = len(self._waiting) if shared else (len(self._waiting) + answered + 1) // 2
                batch = self._next_batch(min(some, self.options.size))
                if not batch:
                    return
                await self._run(batch)
                answered = len(batch)
        except BaseException:
            while self._waiting:
                self._waiting.popleft().outcome.cancel()
            raise
        finally:
            self._running = False

    def _next_batch(self, size: int) -> list[_Waiting[T, R]]:
        batch: list[_Waiting[T, R]] = []
        while self._waiting and len(batch) < size:
            waiting = self._waiting.popleft()
            if not waiting.outcome.done():
                batch.append(waiting)
        return batch

    async def _run(self, batch: Sequence[_Waiting[T, R]]) -> None:
        began = perf_counter()
        self.options.observe(BatchObservation(len(batch), began - batch[0].since))
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self.run([it.item for it in batch])
        except Exception as error:  # noqa: BLE001 (the callers get it)
            outcomes = [error] * len(batch)
        except BaseException:
            for it in batch:
                it.outcome.cancel()
            raise
        finally:
            self._took = perf_counter() - began
        for it, outcome in zip(batch, outcomes, strict=True):
            if it.outcome.done():
                continue
            if isinstance(outcome, Exception):
                it.outcome.set_exception(outcome)
            else:
                it.outcome.set_result(outcome)


def own(error: Unavailable) -> Unavailable:
    """Return a copy for one caller: an exception that several tasks raise would collect the tracebacks of all."""
    mine = copy(error)
    mine.__cause__ = error.__cause__
    return mine
