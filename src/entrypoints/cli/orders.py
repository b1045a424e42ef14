"""``orderflow orders``: everything an operator does with orders, through the use-cases."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ...application.orders.order_view import view
from ...application.orders.queries import DEFAULT_PAGE, OrderQuery
from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from ...domain.lifecycle import OrderState
from ...domain.order import Order
from ..http.bodies import PlaceOrder, read
from . import replay
from . import trace_order as tracing
from .session import InputFile, rows, session

app = App(name="orders", help="Create orders, look at them and move them on.")

As = Annotated[str, Parameter(name="--as", help="who asks, as ROLE:ID")]
OPERATOR = "admin:operator"


def _show(order: Order, actor: Actor) -> None:
    session().show(view(order, actor))


@app.command
async def create(file: InputFile, /, *, as_: As = OPERATOR) -> None:
    """Create the order that FILE describes, with the JSON that POST /v1/orders takes ('-': standard input)."""
    actor = Actor.parse(as_)
    body = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    async with session().flow() as flow:
        new = read(body, PlaceOrder).order(session().settings.currency)
        _show(await flow.use_cases.create_order(new, by=actor), actor)


@app.command
async def show(order_id: str, /, *, as_: As = OPERATOR) -> None:
    """One order, with what may be done with it now."""
    actor = Actor.parse(as_)
    async with session().flow() as flow:
        _show(await flow.get_order(order_id, by=actor), actor)


@app.command(name="list")
async def list_(
    *,
    customer: str | None = None,
    restaurant: str | None = None,
    shipper: str | None = None,
    state: str | None = None,
    created_from: str | None = None,
    created_until: str | None = None,
    cursor: str | None = None,
    limit: int = DEFAULT_PAGE,
    as_: As = OPERATOR,
) -> None:
    """Orders, newest first, a page at a time; every condition given must hold. Times are RFC 3339."""
    actor = Actor.parse(as_)
    query = OrderQuery(
        customer_id=customer,
        restaurant_id=restaurant,
        shipper_id=shipper,
        state=OrderState.parse(state) if state else None,
        created_from=time(created_from, "created-from"),
        created_until=time(created_until, "created-until"),
        cursor=cursor,
        limit=limit,
    )
    async with session().flow() as flow:
        page = await flow.list_orders(query, by=actor)
    found = [view(order, actor) for order in page.orders]
    table = rows(
        "order",
        "state",
        "customer",
        "restaurant",
        "shipper",
        "total",
        "payment",
        "created",
        of=(
            (
                o.order_id,
                o.state,
                o.user_id,
                o.restaurant_id,
                o.shipper_id,
                f"{o.total_price} {o.currency}",
                o.payment_status,
                o.created_at,
            )
            for o in found
        ),
    )
    session().show({"orders": found, "nextCursor": page.next_cursor}, table)
    if page.next_cursor and not session().json:
        session().say(f"more: --cursor {page.next_cursor}")


@app.command
async def transition(
    order_id: str,
    state: str,
    /,
    *,
    shipper: str | None = None,
    reason: str | None = None,
    version: int | None = None,
    as_: As = OPERATOR,
) -> None:
    """Move an order on: preparing, on_the_way, delivered or cancelled."""
    actor = Actor.parse(as_)
    async with session().flow() as flow:
        order = await flow.use_cases.transition_order_state(
            order_id,
            OrderState.parse(state),
            by=actor,
            shipper_id=shipper,
            reason=reason,
            expected_version=version,
        )
    _show(order, actor)


@app.command
async def assign(order_id: str, shipper: str, /, *, as_: As = OPERATOR) -> None:
    """Give an order to a shipper."""
    actor = Actor.parse(as_)
    async with session().flow() as flow:
        _show(await flow.assign_shipper(order_id, shipper, by=actor), actor)


@app.command
async def cancel(order_id: str, /, *, reason: str, as_: As = OPERATOR) -> None:
    """Cancel an order; what was paid by card is refunded."""
    actor = Actor.parse(as_)
    async with session().flow() as flow:
        _show(await flow.cancel_order(order_id, reason, by=actor), actor)


@app.command
async def pay(order_id: str, /, *, outcome: str | None = None, as_: As = OPERATOR) -> None:
    """Charge the order's card, or note cash as received; --outcome paid|failed says how it ended outside."""
    actor = Actor.parse(as_)
    if outcome not in (None, "paid", "failed"):
        raise InvalidInput("outcome", repr(outcome), "paid, failed, or leave it out")
    async with session().flow() as flow:
        paid = None if outcome is None else outcome == "paid"
        _show(await flow.record_payment(order_id, paid=paid, by=actor), actor)


@app.command
async def timeline(order_id: str, /, *, as_of: str | None = None, as_: As = OPERATOR) -> None:
    """All events of an order with their addresses in the log; --as-of TIME: what they told by then."""
    actor = Actor.parse(as_)
    async with session().flow() as flow:
        if (moment := time(as_of, "as-of")) is not None:
            session().show(await flow.order_as_of(order_id, moment, by=actor))
            return
        deliveries = await flow.timeline(order_id, by=actor)
    told = [
        {
            "sequence": d.record.sequence,
            "type": d.record.type,
            "occurredAt": d.event.occurred_at,
            "bucket": d.record.bucket,
            "position": d.record.position,
            "id": d.record.event_id,
            "correlationId": d.record.correlation_id,
        }
        for d in deliveries
    ]
    columns = ("sequence", "type", "occurredAt", "bucket", "position", "correlationId")
    session().show(told, rows(*columns, of=([event[name] for name in columns] for event in told)))


@app.command
async def trace(order_id: str, /, *, as_: As = OPERATOR) -> None:
    """When each event was asked for, committed, published and handled, in milliseconds from step to step.

    '<' says at the latest: a cursor that has gone on since does not tell how long ago it passed. The steps are timed by
    different machines' clocks.
    """
    await tracing.trace(order_id, Actor.parse(as_))


app.command(replay.order, name="verify")


def time(text: str | None, field: str) -> datetime | None:
    """RFC 3339; without a zone it is UTC. Raises InvalidInput."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, f"{text!r} is no time", "RFC 3339, such as 2024-01-01T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise InvalidInput(str(file), f"cannot be read: {e.strerror}", "a readable file, or -") from e
