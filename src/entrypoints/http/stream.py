"""Streams the events of an order as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Annotated

import structlog
from attrs import field, frozen
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.response import Stream

from ...application.event_log.records import LogRecord
from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from .calls import ORDER_CALL, Call
from .log_limit import LogLimit
from .openapi import CORRELATION, problems
from .parameters import header

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
"""Seconds between two polls. The pause grows from the first to the longest while there are no new events."""
HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent, so that proxies do not close the stream."""

log = structlog.get_logger(__name__)


@frozen
class OrderStream:
    """Streams the events of orders by polling. ``closing`` ends all streams."""

    use_cases: UseCases
    closing: asyncio.Event
    log_limit: LogLimit = field(factory=LogLimit)

    async def __call__(
        self,
        order_id: str,
        last_sequence: int,
        by: Actor,
        authorized: Callable[[], Awaitable[bool]] | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the order's events after number ``last_sequence``, and each new one, until the order is terminal.

        The stream ends early if the server stops, storage fails, or ``by`` may not read the order any more, such as a
        shipper who was replaced, or one whose token was revoked, which ``authorized`` returns. The caller may reconnect
        with Last-Event-ID.
        """
        pause, idle = FIRST_PAUSE, 0.0
        while True:
            try:
                if authorized is not None and not await authorized():
                    return
                new, is_last = await self._after(order_id, last_sequence, by)
            except Unavailable as e:
                if self.log_limit.admits("a live stream ended"):
                    log.warning("a live stream ended", order_id=order_id, backend=e.backend, problem=e.problem)
                return
            except (NotFound, NotPermitted):
                return
            for record in new:
                yield _event(record)
                last_sequence = record.sequence
            if is_last:
                return
            pause, idle = (FIRST_PAUSE, 0.0) if new else (min(pause * 1.5, LONGEST_PAUSE), idle + pause)
            if idle >= HEARTBEAT:
                yield b":\n\n"
                idle = 0.0
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for() would start a task for each poll
                    await self.closing.wait()
            if self.closing.is_set():
                return

    async def _after(self, order_id: str, last_sequence: int, by: Actor) -> tuple[Sequence[LogRecord], bool]:
        """Return the records after ``last_sequence``, and whether no others can follow.

        Neither the order nor decoded events are returned: a stream would keep them until it ends, and each garbage
        collection would look through those of thousands of streams.
        """
        order = await self.use_cases.get_order(order_id, by=by)
        if order.version <= last_sequence:
            return (), order.state.terminal
        deliveries = await self.use_cases.timeline(order_id, by=by)
        new = [delivery.record for delivery in deliveries if delivery.record.sequence > last_sequence]
        return new, order.state.terminal and new[-1].sequence >= order.version


def _event(record: LogRecord) -> bytes:
    lines = b"".join(b"data: " + line + b"\n" for line in record.body.splitlines())
    return f"id: {record.sequence}\nevent: {record.type}\n".encode() + lines + b"\n"


@get(
    "/orders/{order_id:str}/stream",
    media_type="text/event-stream",
    response_headers=[CORRELATION],
    responses={
        204: ResponseSpec(None, generate_examples=False, description="The order has ended and has no more events")
    }
    | problems(400, 401, 403, 404, 500, 503),
    dependencies=ORDER_CALL,
    operation_id="streamOrder",
    summary="Stream the events of an order",
    opt={"query": set(), "stream": True},
)
async def stream(
    call: NamedDependency[Call],
    last_event_id: Annotated[str | None, header("Last-Event-ID", "the number of the last event received")] = None,
) -> Stream:
    """Send server-sent events: id is the event's number, event is its type, data is the event. Ends with the order."""
    last_sequence = _number(last_event_id)
    found = await call.use_cases.get_order(call.order, by=call.by)
    if found.state.terminal and last_sequence >= found.version:
        return Response(None, status_code=204)  # type: ignore[return-value]
    return Stream(
        OrderStream(call.use_cases, call.api.closing, call.api.log_limit)(
            call.order, last_sequence, call.by, call.authorized
        ),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _number(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput(
            "Last-Event-ID", f"{text[:80]!r} is not the number of an event", "the id of the last event received"
        )
    return int(text)
