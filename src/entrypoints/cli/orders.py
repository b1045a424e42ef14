"""``orderflow orders``: creates, shows and changes orders through the use-cases."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from attrs import evolve, fields, frozen
from cyclopts import App, Parameter

from ...application.orders.queries import DEFAULT_PAGE, OrderQuery, OrderSort
from ...domain.actor import Actor
from ...domain.errors import ConfirmationNeeded, InvalidInput, Unavailable
from ...domain.history import OrderFacts
from ...domain.lifecycle import OrderState
from ...domain.money import exact
from ...domain.order import Order
from ...domain.refund import RefundBearer
from .arguments import OPERATOR, As, parse_time, read_file
from .session import InputFile, plain, rows, session

if TYPE_CHECKING:
    from ...application.check.compare_order import OrderComparison
    from ...application.orders.use_cases import UseCases
    from ..container import Container

app = App(name="orders")

Source = Annotated[Literal["log", "topic"], Parameter(help="where the events are read")]


@Parameter(name="*")
@frozen(kw_only=True)
class OrderFilter:
    """The options that choose orders."""

    q: Annotated[
        str | None,
        Parameter(
            help="the beginning of an id, a restaurant's or customer's id, words of a name or metadata, "
            "a telephone number"
        ),
    ] = None
    customer: str | None = None
    restaurant: str | None = None
    shipper: str | None = None
    state: Annotated[tuple[str, ...], Parameter(help="may be repeated")] = ()
    available: Annotated[bool, Parameter(negative=(), help="only orders that a shipper may take")] = False
    late: Annotated[
        bool,
        Parameter(negative=(), help="only orders past their estimate, or unchanged for too long"),
    ] = False
    created_from: str | None = None
    created_until: str | None = None

    def query(self) -> OrderQuery:
        """Return the query for these orders. Raises InvalidInput."""
        return OrderQuery(
            q=self.q,
            customer_id=self.customer,
            restaurant_id=self.restaurant,
            shipper_id=self.shipper,
            state=tuple(map(OrderState.parse, self.state)),
            available=self.available,
            late=self.late,
            created_from=parse_time(self.created_from, "created-from"),
            created_until=parse_time(self.created_until, "created-until"),
        )


ALL = OrderFilter()


def _show(use_cases: "UseCases", order: Order, actor: Actor) -> None:
    session().show(use_cases.view(order, actor))


async def _show_with_confirmation(container: "Container", order: Order, actor: Actor) -> None:
    """Show an order, and what its customer needs to confirm a payment that waits for that."""
    shown = plain(container.use_cases().view(order, actor))
    try:
        if (waiting := await container.find_confirmation()(order, by=actor)) is not None:
            shown["confirmation"] = _confirmation(waiting.client_secret, waiting.url)
            session().info("the customer has to confirm the payment; then `orders pay` it again")
    except Unavailable as e:
        session().info(f"whether the customer has to confirm the payment is not known: {e}")
    session().show(shown)


def _confirmation(client_secret: str, url: str) -> dict[str, str]:
    return {"clientSecret": client_secret, "confirmationUrl": url}


@app.command
async def create(file: InputFile, /, *, as_: As = OPERATOR) -> None:
    """Create the order that FILE describes ('-': standard input), in the JSON of POST /v1/orders."""
    from ..http.bodies import PlaceOrder
    from ..http.read_body import read_body

    actor = Actor.parse(as_)
    body = read_file(file)
    async with session().opened(create=True) as container:
        new = read_body(body, PlaceOrder).order(session().settings.currency)
        await _show_with_confirmation(container, await container.use_cases().create_order(new, by=actor), actor)


@app.command(name="import")
async def import_(file: InputFile, /, *, as_: As = OPERATOR) -> int:
    """Create the orders in FILE ('-': standard input): JSON lines or one array, in the JSON of POST /v1/orders.

    Each order is answered for itself. It needs an orderId, so the import can be run again: an order that is there with
    the same content stays as it is. Exits with 1 if an order was refused; each is named with its line.
    """
    from .import_orders import import_orders

    return await import_orders(file, Actor.parse(as_))


@app.command
async def show(order_id: str, /, *, as_: As = OPERATOR) -> None:
    """Show an order, which actions are allowed now, and how its customer confirms a payment that waits for that."""
    actor = Actor.parse(as_)
    async with session().opened() as container:
        await _show_with_confirmation(container, await container.use_cases().get_order(order_id, by=actor), actor)


@app.command(name="list")
async def list_(
    *,
    wanted: OrderFilter = ALL,
    sort: Annotated[str, Parameter(help=", ".join(OrderSort))] = OrderSort.NEWEST.value,
    cursor: str | None = None,
    limit: int = DEFAULT_PAGE,
    csv: Annotated[bool, Parameter(negative=(), help="print all that match as CSV, read in steps of --limit")] = False,
    as_: As = OPERATOR,
) -> None:
    """List or find orders, newest first, in pages. Orders must match all filters. Times are RFC 3339."""
    actor = Actor.parse(as_)
    query = evolve(wanted.query(), sort=OrderSort.parse(sort), cursor=cursor, limit=limit)
    if csv:
        await _print_csv(query, actor)
        return
    async with session().use_cases() as use_cases:
        page = await use_cases.list_orders(query, by=actor)
    found = [use_cases.view(order, actor) for order in page.orders]
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
        session().info(f"next page: --cursor {page.next_cursor}")


async def _print_csv(query: OrderQuery, actor: Actor) -> None:
    """Print all orders of ``query`` as ``GET /v1/orders.csv`` does, page by page."""
    from ..http.csv_rows import csv_lines, order_columns

    if session().json:
        raise InvalidInput("csv", "it is given with --json", "one of the two")
    columns = order_columns()
    async with session().use_cases() as use_cases:
        sys.stdout.write(csv_lines([[*columns]]))
        while True:
            page = await use_cases.list_orders(query, by=actor)
            views = [use_cases.view(order, actor) for order in page.orders]
            sys.stdout.write(csv_lines([value(view) for value in columns.values()] for view in views))
            if page.next_cursor is None:
                return
            query = evolve(query, cursor=page.next_cursor)


@app.command
async def count(*, wanted: OrderFilter = ALL, as_: As = OPERATOR) -> None:
    """Count the orders that `orders list` lists with these filters, by state; of each state at most 10,000."""
    actor = Actor.parse(as_)
    query = wanted.query()
    async with session().use_cases() as use_cases:
        found = await use_cases.list_orders.count(query, by=actor)
    table = rows("state", "orders", "", of=((it.state, it.orders, "or more" if it.more else "") for it in found))
    session().show(found, table)


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
    """Change the state of an order to preparing, on_the_way, delivered or cancelled."""
    actor = Actor.parse(as_)
    async with session().use_cases() as use_cases:
        order = await use_cases.transition_order_state(
            order_id,
            OrderState.parse(state),
            by=actor,
            shipper_id=shipper,
            reason=reason,
            expected_version=version,
        )
    _show(use_cases, order, actor)


@app.command
async def assign(order_id: str, shipper: str, /, *, as_: As = OPERATOR) -> None:
    """Assign an order to a shipper."""
    actor = Actor.parse(as_)
    async with session().use_cases() as use_cases:
        _show(use_cases, await use_cases.assign_shipper(order_id, shipper, by=actor), actor)


@app.command
async def cancel(order_id: str, /, *, reason: str, as_: As = OPERATOR) -> None:
    """Cancel an order. A card payment is refunded."""
    actor = Actor.parse(as_)
    async with session().use_cases() as use_cases:
        _show(use_cases, await use_cases.cancel_order(order_id, reason, by=actor), actor)


@app.command
async def pay(order_id: str, /, *, outcome: str | None = None, as_: As = OPERATOR) -> None:
    """Charge the order's card, or record cash as received.

    --outcome paid|failed records the outcome of a payment that was made elsewhere. If the customer has to confirm the
    payment, prints the secret and the address for that, and exits with 1; then pay again.
    """
    actor = Actor.parse(as_)
    if outcome not in (None, "paid", "failed"):
        raise InvalidInput("outcome", repr(outcome), "paid or failed, or without --outcome")
    async with session().use_cases() as use_cases:
        paid = None if outcome is None else outcome == "paid"
        try:
            order = await use_cases.record_payment(order_id, paid=paid, by=actor)
        except ConfirmationNeeded as needed:
            session().show({"orderId": order_id, **_confirmation(needed.client_secret, needed.url)})
            raise
    _show(use_cases, order, actor)


@app.command
async def refund(
    order_id: str,
    /,
    *,
    reason: str,
    borne_by: str,
    amount: str | None = None,
    food: str | None = None,
    as_: As = OPERATOR,
) -> None:
    """Refund an order: --amount of it, the lines of --food, or all that is left of its payment.

    --borne-by restaurant, courier or platform says who bears it.
    """
    actor, bearer = Actor.parse(as_), RefundBearer.parse(borne_by, field="borne-by")
    money = None if amount is None else exact(amount, field="amount")
    async with session().use_cases() as use_cases:
        order = await use_cases.refund_order(order_id, reason, borne_by=bearer, by=actor, amount=money, food_id=food)
    _show(use_cases, order, actor)


@app.command
async def timeline(order_id: str, /, *, as_of: str | None = None, as_: As = OPERATOR) -> None:
    """Show all events of an order with their addresses in the log.

    --as-of TIME shows the order as of that time instead.
    """
    actor = Actor.parse(as_)
    async with session().use_cases() as use_cases:
        if (moment := parse_time(as_of, "as-of")) is not None:
            session().show(await use_cases.as_of(order_id, moment, by=actor))
            return
        deliveries = await use_cases.timeline(order_id, by=actor)
    events = [
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
    session().show(events, rows(*columns, of=([event[name] for name in columns] for event in events)))


@app.command
async def trace(order_id: str, /, *, as_: As = OPERATOR) -> None:
    """Show when each event was requested, committed, published and handled, with the milliseconds between the steps.

    '<' marks an upper bound: a cursor shows only that it has passed the event since. The steps are timed by the clocks
    of different machines.
    """
    from . import trace_order

    await trace_order.trace(order_id, Actor.parse(as_))


@app.command
async def verify(order_id: str, /, *, source: Source = "log") -> int:
    """Compare an order as stored with the order folded from its events, and list every difference.

    Nothing is changed. Exits with 1 if they differ. The address, the card and the estimate are not compared, because
    they are not in the events.
    """
    async with session().opened() as container:
        found: OrderComparison = await container.compare_order()(order_id, source=source)
    differs = {each.fact for each in found.differences}
    facts = [a.name for a in fields(OrderFacts)]
    lines = (
        (name, getattr(found.row, name, None), getattr(found.fold, name, None), "differs" if name in differs else "")
        for name in facts
    )
    data = {"equal": found.equal, "differences": found.differences, **plain(found)}
    session().show(data, rows("fact", "row", f"fold of the {source}", "", of=lines))
    if found.row is None:
        session().info(f"the {source} has events of the order, but there is no row")
    if found.problem:
        session().info(f"the events in the {source} cannot be folded: {found.problem}")
    session().info("equal" if found.equal else "not equal")
    return 0 if found.equal else 1
