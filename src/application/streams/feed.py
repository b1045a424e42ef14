"""One reader of the log for all live streams of a process."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from attrs import define, field

from ...domain.errors import Unavailable
from ...domain.order import Order
from ..backoff import Backoff
from ..event_log.ports import EventLog, Wakeup
from ..event_log.records import LogRecord
from ..orders.ports import OrderQueries
from ..recovery.epochs import LogEpochs
from .place import Place
from .shippers import ShipperHistory, Shippers

BATCH = 200
"""Events that are read at once."""
BATCH_BYTES = 2_000_000
MOST_WAITING = 1_000
"""Changes that wait for a reader; one that is further behind is cut off."""
MOST_WAITING_BYTES = 4_000_000
READING_AT_ONCE = 4
"""Streams that read at the same time what they begin with: many may begin at once, and other requests read, too."""
SLOW_READER, STOPPING, UNAVAILABLE, UNAUTHORIZED = "slow_reader", "stopping", "unavailable", "unauthorized"
"""The reasons for which a stream ends."""

logger = logging.getLogger("orderflow.streams")

Key = tuple[str, str]
"""The subject of a subscription: the name of a party, or ``order``, and its id."""


class StreamEnded(Exception):
    """Ends a stream; ``reason`` is one of the words above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@define(eq=False)
class Change:
    """An event, its order as it is now, the order's shippers before and after it, and the place in the log after it.

    The place is shared by the streams that are at the feed's own place, and written as a text once.
    """

    record: LogRecord
    order: Order
    shippers: Shippers
    place: Place
    _text: str = field(default="", init=False)

    @property
    def id(self) -> str:
        if not self._text:
            self._text = str(self.place)
        return self._text


@define(eq=False)
class Subscription:
    """Receives changes from ``start`` on. What waits is bounded: a reader that is too slow is cut off."""

    start: Place
    wants: Callable[[Change], bool]
    _changes: deque[Change] = field(factory=deque, init=False)
    _bytes: int = field(default=0, init=False)
    _ended: str = field(default="", init=False)
    _waiter: asyncio.Future[None] | None = field(default=None, init=False)

    async def next(self, at_most: float) -> Change | None:
        """Return the next change, or None if there is none for ``at_most`` seconds. Raises StreamEnded."""
        if not self._changes and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(at_most):
                    await self._waiter
            self._waiter = None
        if self._ended:
            raise StreamEnded(self._ended)
        if not self._changes:
            return None
        change = self._changes.popleft()
        self._bytes -= len(change.record.body)
        return change

    def offer(self, change: Change) -> None:
        """Keep ``change`` for the reader, if it wants it."""
        if self._ended or not self.wants(change):
            return
        self._bytes += len(change.record.body)
        self._changes.append(change)
        if len(self._changes) > MOST_WAITING or self._bytes > MOST_WAITING_BYTES:
            self.end(SLOW_READER)
        self._wake()

    def end(self, reason: str) -> None:
        """End the stream. What waits is dropped, and is sent when the reader resumes."""
        self._ended = self._ended or reason
        self._changes.clear()
        self._bytes = 0
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@define(eq=False)
class LogFeed:
    """Reads the log while there are subscriptions, woken by commits, and hands each change to those that want it.

    A subscription may have a key; then only changes with that key are offered to it, so that many streams cost as much
    as their changes. While the storage is unavailable, the feed tries again. Any other error, such as a row that cannot
    be read, ends all streams: they would seem alive, and show nothing new.
    """

    log: EventLog
    orders: OrderQueries
    epochs: LogEpochs
    shippers: ShipperHistory
    wakeup: Callable[[], Wakeup]
    buckets: Callable[[], int]
    poll_interval: float = 0.25
    backoff: Backoff = field(factory=Backoff)
    turns: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(READING_AT_ONCE))
    """Held by a stream while it reads a part of what it begins with, never while it sends it."""
    _place: Place | None = field(default=None, init=False)
    _subscriptions: dict[Key | None, set[Subscription]] = field(factory=dict, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _turn: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    @asynccontextmanager
    async def subscription(self, key: Key | None, wants: Callable[[Change], bool]) -> AsyncIterator[Subscription]:
        """Receive the changes from now on in the block. Raises StorageUnavailable."""
        async with self._turn:
            place = self._place or await self.place()
            subscription = Subscription(place, wants)
            self._subscriptions.setdefault(key, set()).add(subscription)
            if self._task is None:
                self._place = place
                self._task = asyncio.get_running_loop().create_task(self._run(self.wakeup()), name="live streams")
        try:
            yield subscription
        finally:
            self._subscriptions[key].discard(subscription)
            if not self._subscriptions[key]:
                del self._subscriptions[key]
            if not self._subscriptions and self._task is not None:
                self._task.cancel()
                self._task = self._place = None

    async def place(self) -> Place:
        """Return the place after the last event of the log. Raises StorageUnavailable."""
        epochs, heads = await self.epochs.all(), await self.log.heads()
        return Place(epochs.now, tuple(heads.get(bucket, 0) for bucket in range(self.buckets())))

    async def missed(self, after: Place, until: Place, wants: Callable[[Change], bool]) -> AsyncGenerator[Change]:
        """Return the changes between two places. Raises StorageUnavailable."""
        heads = dict(enumerate(until.positions))
        place = after
        while behind := {bucket: at for bucket, at in enumerate(place.positions) if at < heads[bucket]}:
            async with self.turns:
                records = await self.log.read(behind, limit=BATCH, heads=heads, max_bytes=BATCH_BYTES)
                changes, place = await self._changes(records, place)
            for change in changes:
                if wants(change):
                    yield change
            if not records:
                return

    @property
    def now(self) -> Place | None:
        """The place up to which changes were handed out; None without subscriptions."""
        return self._place

    def end_all(self, reason: str) -> None:
        """End all streams for ``reason``."""
        for subscription in [each for among in self._subscriptions.values() for each in among]:
            subscription.end(reason)

    async def _run(self, wakeup: Wakeup) -> None:
        while True:
            try:
                while await self._step():
                    continue
            except Unavailable as error:
                seconds = self.backoff.pause()
                logger.info("live streams wait", extra={"error": error.code, "seconds": seconds})
                await asyncio.sleep(seconds)
                continue
            except Exception:
                logger.exception("live streams end, for their feed cannot read on")
                self.end_all(UNAVAILABLE)
                self._task = self._place = None
                return
            self.backoff.reset()
            await wakeup.wait(self.poll_interval)

    async def _step(self) -> bool:
        """Hand out the next changes; return whether there were any."""
        place = self._place
        if place is None:
            return False
        heads = await self.log.heads()
        behind = {bucket: at for bucket, at in enumerate(place.positions) if at < heads.get(bucket, 0)}
        if not behind:
            return False
        records = await self.log.read(behind, limit=BATCH, heads=heads, max_bytes=BATCH_BYTES)
        changes, after = await self._changes(records, place)
        for change in changes:
            self._place = change.place
            order, record = change.order, change.record
            keys: list[Key | None] = [
                None,
                ("order", record.order_id),
                ("customer", order.customer_id),
                ("restaurant", order.restaurant_id),
                *(("shipper", shipper) for shipper in set(filter(None, change.shippers))),
            ]
            for subscription in [each for key in keys for each in self._subscriptions.get(key, ())]:
                subscription.offer(change)
        self._place = after
        return bool(records)

    async def _changes(self, records: Sequence[LogRecord], place: Place) -> tuple[list[Change], Place]:
        """Return the changes that ``records`` make, which come after ``place``, and the place after them.

        There is none of an order without a row.
        """
        orders = await self.orders.get_all({record.order_id for record in records})
        positions = list(place.positions)
        found = []
        for record in records:
            positions[record.bucket] = record.position
            shippers = await self.shippers.around(record)
            place = Place(place.epoch, tuple(positions))
            if (order := orders.get(record.order_id)) is not None:
                found.append(Change(record, order, shippers, place))
        return found, place
