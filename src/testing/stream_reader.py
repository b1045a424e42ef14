"""A reader of a live stream, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ..adapters.wakeup import LocalWakeup
from ..adapters.wire import decode_record
from ..application.orders.list_orders import ListOrders
from ..application.streams.feed import LogFeed
from ..application.streams.follow_orders import Changed, FollowOrders, Idle, Message, Snapshot, StreamFilter
from ..application.streams.place import Place
from ..application.streams.shippers import ShipperHistory
from ..domain.actor import Actor
from .orders import ADMIN, AT

DEADLINE = 60.0


class StreamReader:
    """Reads one stream, and remembers the place at which it stands."""

    def __init__(
        self,
        storage: Any,
        *,
        by: Actor = ADMIN,
        wanted: StreamFilter | None = None,
        after: str | None = None,
        feed: LogFeed | None = None,
    ) -> None:
        self._feed = feed or feed_of(storage)
        follow = FollowOrders(self._feed, ListOrders(storage.views, lambda: AT))
        self.place = after or ""
        at = None if after is None else Place.parse(after, field="after")
        self._messages: AsyncIterator[Message] = follow(wanted or StreamFilter(), by=by, after=at, tick=0.02)
        self._closing: Any = aclosing(self._messages)

    async def __aenter__(self) -> "StreamReader":
        await self._closing.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._closing.__aexit__(*error)

    async def message(self) -> Any:
        """Return the next message but those that nothing happened."""
        async with asyncio.timeout(DEADLINE):
            async for message in self._messages:
                self.place = message.place or self.place
                if not isinstance(message, Idle):
                    return message
        raise AssertionError("the stream has ended")

    async def snapshot(self) -> list[str]:
        found: list[str] = []
        while True:
            page = await self.message()
            assert isinstance(page, Snapshot)
            found += [order.id for order in page.orders]
            if page.place:
                return found

    async def changes(self, many: int) -> list[tuple[str, int]]:
        found = []
        for _ in range(many):
            message = await self.message()
            assert isinstance(message, Changed)
            found.append((message.change.record.order_id, message.change.record.sequence))
        return found

    async def all(self) -> list[tuple[str, int]]:
        """All changes until the stream stands at the end of the log."""
        found: list[tuple[str, int]] = []
        end = await self._feed.place()
        async with asyncio.timeout(DEADLINE):
            async for message in self._messages:
                self.place = message.place or self.place
                if isinstance(message, Idle) and self._is_at(end):
                    return found
                if isinstance(message, Changed):
                    found.append((message.change.record.order_id, message.change.record.sequence))
        raise AssertionError("the stream has ended")

    def _is_at(self, end: Place) -> bool:
        here = Place.parse(self.place, field="place").positions
        return all(at >= head for at, head in zip(here, end.positions, strict=True))

    async def is_idle(self) -> bool:
        return await self.all() == []


def feed_of(storage: Any) -> LogFeed:
    return LogFeed(
        log=storage.log,
        orders=storage.views,
        epochs=storage.epochs,
        shippers=ShipperHistory(storage.log, decode_record),
        wakeup=LocalWakeup().listener,
        buckets=lambda: storage.buckets,
        poll_interval=0.01,
    )
