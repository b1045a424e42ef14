"""Following the changes of all orders that a caller may see."""

from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing

from attrs import define, evolve, field, frozen

from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from ...domain.events import EVENT_TYPES
from ...domain.order import Order
from ...domain.text import shown
from ..event_log.records import bucket_of
from ..orders.list_orders import ListOrders
from ..orders.queries import OPEN, OrderQuery
from .feed import Change, Key, LogFeed, Subscription
from .place import Place

MOST_RESUMED = 10_000
"""Events after which a stream that resumes begins with a snapshot again."""
PAGE = 25
"""Orders of a message of a snapshot."""
TYPES = tuple(each.type for each in EVENT_TYPES)


@frozen(kw_only=True)
class Snapshot:
    """A page of the orders that are not final. The ``first`` replaces all before; the last has a ``place``."""

    orders: tuple[Order, ...]
    first: bool
    place: str


@frozen(kw_only=True)
class Changed:
    """A change, and the place of the stream after it. ``order`` is None if the reader may not see it any more."""

    change: Change
    order: Order | None
    place: str


@frozen(kw_only=True)
class Idle:
    """Nothing happened for a while; the stream stands at ``place``."""

    place: str


Message = Snapshot | Changed | Idle


@frozen(kw_only=True)
class StreamFilter:
    """The orders and types of events that a stream is about; those of everything that the reader may see by default.

    Raises InvalidInput.
    """

    customer_id: str | None = None
    restaurant_id: str | None = None
    shipper_id: str | None = None
    types: Collection[str] = ()

    def __attrs_post_init__(self) -> None:
        for each in sorted({*self.types} - {*TYPES}):
            raise InvalidInput("type", f"{shown(each)} is no type of event", ", ".join(TYPES))

    @property
    def query(self) -> OrderQuery:
        """The query for the orders of the snapshot."""
        return OrderQuery(
            customer_id=self.customer_id,
            restaurant_id=self.restaurant_id,
            shipper_id=self.shipper_id,
            state=OPEN,
            limit=PAGE,
        )


@frozen
class FollowOrders:
    """Yields a snapshot of the orders that are not final, then each change of an order, without a gap or a double.

    ``by`` sees the changes of its own orders, an admin those of all. A shipper that loses an order gets the event by
    which it does. With ``after``, the place of an earlier stream, what came since is sent instead of a snapshot, unless
    that is too much or the log is another one.
    """

    feed: LogFeed
    list_orders: ListOrders

    async def __call__(
        self, wanted: StreamFilter, *, by: Actor, after: Place | None = None, tick: float
    ) -> AsyncGenerator[Message]:
        """Yield messages; Idle after ``tick`` seconds without one. Raises InvalidInput, StreamEnded, Unavailable."""
        query = self.list_orders.allowed(wanted.query, by)

        def wants(change: Change) -> bool:
            return (
                query.customer_id in (None, change.order.customer_id)
                and query.restaurant_id in (None, change.order.restaurant_id)
                and (query.shipper_id is None or query.shipper_id in change.shippers)
                and (not wanted.types or change.record.type in wanted.types)
            )

        async with self.feed.subscription(_key(query), wants) as subscription:
            seen = _Seen(self.feed, subscription.start)
            if after is not None and await self._resumes(after, subscription):
                seen.resume(after)
                async with aclosing(self.feed.missed(after, subscription.start, wants)) as missed:
                    async for change in missed:
                        yield _changed(change, change.id, by)
            else:
                first, cursor = True, None
                while first or cursor is not None:
                    async with self.feed.turns:
                        page = await self.list_orders(evolve(query, cursor=cursor), by=by)
                    seen.note(page.orders)
                    cursor = page.next_cursor
                    yield Snapshot(orders=page.orders, first=first, place="" if cursor else str(subscription.start))
                    first = False
                async with self.feed.turns:
                    seen.settle(await self.feed.place())
            while True:
                latest = await subscription.next(tick)
                if latest is None:
                    yield Idle(place=seen.place())
                elif seen.is_new(latest):
                    yield _changed(latest, seen.place(latest), by)

    async def _resumes(self, after: Place, subscription: Subscription) -> bool:
        """Return whether a stream may go on from ``after``."""
        async with self.feed.turns:
            end = await self.feed.place()
        if after.epoch != end.epoch or len(after.positions) != len(end.positions):
            return False
        if any(at > head for at, head in zip(after.positions, end.positions, strict=True)):
            return False
        start = subscription.start.positions
        return sum(max(0, head - at) for at, head in zip(after.positions, start, strict=True)) <= MOST_RESUMED


def _changed(change: Change, place: str, by: Actor) -> Changed:
    return Changed(change=change, order=change.order if change.order.visible_to(by) else None, place=place)


def _key(query: OrderQuery) -> Key | None:
    """Return the narrowest key of what ``query`` is about."""
    if query.shipper_id is not None:
        return "shipper", query.shipper_id
    if query.customer_id is not None:
        return "customer", query.customer_id
    return None if query.restaurant_id is None else ("restaurant", query.restaurant_id)


@define(eq=False)
class _Seen:
    """The changes that the reader of a stream has already, of those that the feed hands out after ``start``.

    ``ahead`` is where the reader was farther than the feed, which was another process's then. ``versions`` are the
    orders of the snapshot, which was read after ``start``.
    """

    feed: LogFeed
    start: Place
    ahead: dict[int, int] = field(factory=dict, init=False)
    versions: dict[str, int] = field(factory=dict, init=False)

    def resume(self, after: Place) -> None:
        pairs = enumerate(zip(after.positions, self.start.positions, strict=True))
        self.ahead = {bucket: at for bucket, (at, start) in pairs if at > start}

    def note(self, orders: Iterable[Order]) -> None:
        self.versions.update((order.id, order.version) for order in orders)

    def settle(self, end: Place) -> None:
        """Forget the orders of the snapshot that had no change between ``start`` and ``end``."""
        buckets = len(end.positions)
        changed = {b for b in range(buckets) if end.positions[b] > self.start.positions[b]}
        self.versions = {id_: at for id_, at in self.versions.items() if bucket_of(id_, buckets) in changed}

    def is_new(self, change: Change) -> bool:
        record = change.record
        return record.position > self.ahead.get(record.bucket, 0) and record.sequence > self.versions.get(
            record.order_id, 0
        )

    def place(self, change: Change | None = None) -> str:
        """Return the place after ``change``, or now if nothing waits."""
        if change is not None and not self.ahead:
            return change.id
        here = self.feed.now or self.start if change is None else change.place
        self.ahead = {bucket: at for bucket, at in self.ahead.items() if at > here.positions[bucket]}
        farthest = (self.ahead.get(bucket, at) for bucket, at in enumerate(here.positions))
        return str(Place(here.epoch, tuple(farthest)))
