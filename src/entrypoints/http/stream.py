"""One order's events as they happen: server-sent events, from the first one on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import structlog
from attrs import frozen
from litestar import Response, get
from litestar.di import NamedDependency as Given
from litestar.openapi import ResponseSpec
from litestar.response import Stream

from ...application.event_log.records import Delivery
from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, Unavailable
from .openapi import CORRELATION, problems
from .parameters import header

FIRST_LOOK = 0.1
LAST_LOOK = 1.0
"""Seconds between two looks for news: they grow from the first to the last while nothing happens."""
HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the stream for dead."""

log = structlog.get_logger(__name__)


@frozen
class OrderStream:
    """What every stream needs: how to look, and the event that ends all of them."""

    use_cases: UseCases
    closing: asyncio.Event

    async def __call__(self, order_id: str, seen: int, by: Actor) -> AsyncIterator[bytes]:
        """The order's events after number ``seen``, and then each new one, until the order is terminal.

        It ends early when the server closes or storage fails; the caller then asks again with Last-Event-ID.
        """
        pause, quiet = FIRST_LOOK, 0.0
        while True:
            try:
                order = await self.use_cases.get_order(order_id, by=by)
                news = await self._after(order_id, seen, by) if order.version > seen else []
            except Unavailable as e:
                log.warning("a live stream ended", order_id=order_id, backend=e.backend, problem=e.problem)
                return
            for delivery in news:
                yield _event(delivery)
                seen = delivery.record.sequence
            if order.state.terminal and seen >= order.version:
                return
            pause, quiet = (FIRST_LOOK, 0.0) if news else (min(pause * 1.5, LAST_LOOK), quiet + pause)
            if quiet >= HEARTBEAT:
                yield b":\n\n"
                quiet = 0.0
            with suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), pause)
            if self.closing.is_set():
                return

    async def _after(self, order_id: str, seen: int, by: Actor) -> list[Delivery]:
        deliveries = await self.use_cases.timeline(order_id, by=by)
        return [delivery for delivery in deliveries if delivery.record.sequence > seen]


def _event(delivery: Delivery) -> bytes:
    record = delivery.record
    lines = b"".join(b"data: " + line + b"\n" for line in record.body.splitlines())
    return f"id: {record.sequence}\nevent: {record.type}\n".encode() + lines + b"\n"


@get(
    "/orders/{order_id:str}/stream",
    media_type="text/event-stream",
    response_headers=[CORRELATION],
    responses={204: ResponseSpec(None, generate_examples=False, description="Nothing more will come; do not ask again")}
    | problems(400, 401, 404, 500, 503),
    operation_id="streamOrder",
    summary="An order's events as they happen",
    opt={"query": set()},
)
async def stream(
    order: Given[str],
    by: Given[Actor],
    use_cases: Given[UseCases],
    following: Given[OrderStream],
    last_event_id: Annotated[str | None, header("Last-Event-ID", "the number of the last event seen")] = None,
) -> Stream:
    """Server-sent events: id is the event's number, event its type, data the event itself. Ends with the order."""
    seen = _number(last_event_id)
    found = await use_cases.get_order(order, by=by)
    if found.state.terminal and seen >= found.version:
        return Response(None, status_code=204)  # type: ignore[return-value]
    return Stream(
        following(order, seen, by),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _number(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput("Last-Event-ID", f"{text[:80]!r} is no event's number", "the id of the last event seen")
    return int(text)
