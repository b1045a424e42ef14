"""Many commands at the same time, answered in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    items: AsyncIterator[T],
    run: Callable[[T], Awaitable[R]],
    *,
    at_once: int,
    resources: Callable[[T], Iterable[str]],
) -> AsyncGenerator[R, None]:
    """Run ``run`` for up to ``at_once`` items at the same time, and yield what it returns in the order of ``items``.

    An item begins when the earlier ones of those that have one of its ``resources`` have ended. No more items are
    taken than run. What runs is cancelled when the iteration ends early, or ``run`` or ``items`` raises.
    """
    running: deque[asyncio.Task[R]] = deque()
    last: dict[str, asyncio.Task[R]] = {}

    def begin(item: T) -> None:
        names = list(resources(item))
        task = asyncio.create_task(_after([last[name] for name in names if name in last], run, item))
        running.append(task)
        for name in names:
            last[name] = task
            task.add_done_callback(lambda done, name=name: last.pop(name) if last.get(name) is done else None)  # type: ignore[misc]

    coming: asyncio.Future[T] | None = asyncio.ensure_future(anext(items))
    try:
        while True:
            if coming is not None and coming.done():
                try:
                    begin(coming.result())
                    coming = None
                except StopAsyncIteration:
                    break
            while running and running[0].done():
                yield running.popleft().result()
            if coming is None and len(running) < at_once:
                coming = asyncio.ensure_future(anext(items))
            waiting: set[asyncio.Future[Any]] = {coming} if coming is not None else set()
            await asyncio.wait(waiting.union(running and [running[0]]), return_when=asyncio.FIRST_COMPLETED)
        while running:
            yield await running.popleft()
    finally:
        left: list[asyncio.Future[Any]] = [*running, *([coming] if coming is not None else [])]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _after(earlier: Iterable[asyncio.Task[Any]], run: Callable[[T], Awaitable[R]], item: T) -> R:
    if earlier:
        await asyncio.wait(earlier)
    return await run(item)
