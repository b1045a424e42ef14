"""Streams the events of one order, and the changes of all orders that a caller may see, as server-sent events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from time import monotonic
from typing import Annotated, TypeVar

from attrs import define, field
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.response import Stream
from msgspec import Raw

from ...application.event_log.records import LogRecord
from ...application.orders.order_view import OrderView, view
from ...application.streams.feed import STOPPING, UNAUTHORIZED, UNAVAILABLE, StreamEnded
from ...application.streams.follow_orders import TYPES, Changed, Idle, Message, Snapshot, StreamFilter
from ...application.streams.place import MAX_PLACE, Place
from ...application.streams.use_cases import StreamUseCases
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from ...domain.text import shown
from .calls import ORDER_CALL, Call
from .log_limit import LogLimit
from .openapi import problems
from .order_filter import CustomerId, RestaurantId, ShipperId
from .parameters import header, parse_identifier, query
from .parts import PartsResponse
from .views import render

TICK = 1.0
"""Seconds between two looks whether the caller still has its rights, as long as a process relies on what it knows."""
HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent, so that proxies do not close the stream."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

T = TypeVar("T")
Authorized = Callable[[], Awaitable[bool]]
"""Returns whether the caller still has its rights."""

logger = logging.getLogger("orderflow.http")


@define(eq=False)
class LiveStreams:
    """The live streams of one application. ``closing`` ends all of them."""

    use_cases: StreamUseCases
    closing: asyncio.Event
    log_limit: LogLimit = field(factory=LogLimit)
    _open: int = field(default=0, init=False)
    _watching: asyncio.Task[None] | None = field(default=None, init=False)

    async def of_order(
        self, order_id: str, last_sequence: int, by: Actor, authorized: Authorized | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the order's events after number ``last_sequence``, and each new one, until the order is terminal.

        The stream ends early if the server stops, storage fails, or ``by`` may not read the order any more, such as a
        shipper who was replaced, or one whose token was revoked, which ``authorized`` returns. The caller may reconnect
        with Last-Event-ID.
        """
        records = self.use_cases.follow_order(order_id, by=by, after=last_sequence, tick=min(TICK, HEARTBEAT))
        async with aclosing(self._sent(records, authorized, _event)) as messages:
            async for message in messages:
                if isinstance(message, bytes):
                    yield message

    async def of_orders(
        self, wanted: StreamFilter, by: Actor, after: Place | None, authorized: Authorized | None = None
    ) -> AsyncIterator[bytes]:
        """Yield a snapshot or what came after ``after``, then each change, and at last why the stream ends."""
        following = self.use_cases.follow_orders(wanted, by=by, after=after, tick=min(TICK, HEARTBEAT))
        async with aclosing(self._sent(following, authorized, lambda message: _message(message, by))) as messages:
            async for message in messages:
                yield _framed("end", "", render({"reason": message})) if isinstance(message, str) else message

    async def _sent(
        self, messages: AsyncGenerator[T], authorized: Authorized | None, rendered: Callable[[T], tuple[bytes, bool]]
    ) -> AsyncGenerator[bytes | str]:
        """Yield ``messages`` as bytes, and as a text why the stream ends early.

        What is rendered has True if it shows only that nothing happened, which is sent once in HEARTBEAT.
        """
        checked = sent = monotonic()
        with self._opened():
            try:
                async with aclosing(messages):
                    async for message in messages:
                        now = monotonic()
                        if authorized is not None and now - checked >= TICK:
                            if not await authorized():
                                yield UNAUTHORIZED
                                return
                            checked = now
                        text, idle = rendered(message)
                        if not idle or now - sent >= HEARTBEAT:
                            sent = now
                            yield text
            except StreamEnded as ended:
                yield ended.reason
            except Unavailable as e:
                if self.log_limit.admits("a live stream ended"):
                    logger.warning("a live stream ended", extra={"backend": e.backend, "problem": e.problem})
                yield UNAVAILABLE
            except (NotFound, NotPermitted):
                return

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """Have all streams end at the shutdown, as long as there are any."""
        self._open += 1
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._end_at_closing(), name="closing of streams")
        try:
            yield
        finally:
            self._open -= 1
            if not self._open and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def _end_at_closing(self) -> None:
        await self.closing.wait()
        self.use_cases.feed.end_all(STOPPING)


def _event(record: LogRecord | None) -> tuple[bytes, bool]:
    if record is None:
        return b":\n\n", True
    return _framed(record.type, str(record.sequence), record.body), False


def _message(message: Message, by: Actor) -> tuple[bytes, bool]:
    match message:
        case Idle():
            return f":\nid: {message.place}\n\n".encode(), True
        case Snapshot():
            orders = tuple(view(order, by) for order in message.orders)
            body = render({"first": message.first, "last": bool(message.place), "orders": orders})
            return _framed("snapshot", message.place, body), False
        case Changed():
            record = message.change.record
            order: OrderView | None = None if message.order is None else view(message.order, by)
            body = render(
                {
                    "orderId": record.order_id,
                    "sequence": record.sequence,
                    "event": Raw(record.body),
                    "order": order,
                }
            )
            return _framed(record.type, message.place, body), False


def _framed(event: str, id_: str, body: bytes) -> bytes:
    lines = b"".join(b"data: " + line + b"\n" for line in body.splitlines())
    return (f"id: {id_}\n" if id_ else "").encode() + f"event: {event}\n".encode() + lines + b"\n"


@get(
    "/orders/{order_id:str}/stream",
    media_type="text/event-stream",
    responses={
        204: ResponseSpec(None, generate_examples=False, description="The order has ended and has no more events")
    }
    | problems(400, 401, 403, 404, 500, 503),
    dependencies=ORDER_CALL,
    operation_id="streamOrder",
    summary="Stream the events of an order",
    opt={"kind": "streams"},
)
async def stream(
    call: NamedDependency[Call],
    last_event_id: Annotated[str | None, header("Last-Event-ID", "the number of the last event received")] = None,
) -> Stream:
    """Send server-sent events: id is the event's number, event is its type, data is the event. Ends with the order."""
    last_sequence = _number(last_event_id)
    found = await call.use_cases.get_order(call.order, by=call.by)
    if last_sequence > found.version:  # of another database, or of this one before it was restored
        raise InvalidInput(
            "Last-Event-ID",
            f"order {shown(found.id)} has no event {last_sequence}",
            f"0 to {found.version}, its latest event",
        )
    if found.state.terminal and last_sequence >= found.version:
        return Response(None, status_code=204)  # type: ignore[return-value]
    events = _streams(call).of_order(call.order, last_sequence, call.by, call.authorized)
    return PartsResponse(events, media_type="text/event-stream", headers=HEADERS)


@get(
    "/stream",
    media_type="text/event-stream",
    responses=problems(400, 401, 403, 500, 503),
    operation_id="streamOrders",
    summary="Stream the changes of all orders",
    opt={"kind": "streams", "ticket": True},
)
async def stream_orders(
    call: NamedDependency[Call],
    customer_id: CustomerId = None,
    restaurant_id: RestaurantId = None,
    shipper_id: ShipperId = None,
    types: Annotated[
        list[str] | None, query("type", f"only events of this type, or of one of several: {', '.join(TYPES)}")
    ] = None,
    last_event_id: Annotated[str | None, header("Last-Event-ID", "the id of the last message received")] = None,
    resume: Annotated[
        str | None, query("lastEventId", "the same, for clients that cannot send the header", maxLength=MAX_PLACE)
    ] = None,
    ticket: Annotated[str | None, query("ticket", "a ticket instead of a token; see POST /v1/stream-tickets")] = None,
) -> Stream:
    """Send server-sent events of the orders that the caller may see: a snapshot of those not final, then each change.

    The last message, ``end``, says why the stream ends. With Last-Event-ID there is no snapshot, but what came since.
    """
    wanted = StreamFilter(
        customer_id=parse_identifier(customer_id, "customerId"),
        restaurant_id=parse_identifier(restaurant_id, "restaurantId"),
        shipper_id=parse_identifier(shipper_id, "shipperId"),
        types=types or (),
    )
    call.use_cases.list_orders.allowed(wanted.query, call.by)
    # A browser that reconnects sends the header, which is newer than the address that it was given.
    name, text = ("Last-Event-ID", last_event_id) if last_event_id else ("lastEventId", resume)
    after = Place.parse(text, field=name) if text else None
    messages = _streams(call).of_orders(wanted, call.by, after, call.authorized)
    return PartsResponse(messages, media_type="text/event-stream", headers=HEADERS)


def _streams(call: Call) -> LiveStreams:
    streams: LiveStreams = call.api.streams
    return streams


def _number(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput(
            "Last-Event-ID", f"{text[:80]!r} is not the number of an event", "the id of the last event received"
        )
    return int(text)
