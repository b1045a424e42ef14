"""``orderflow analytics``: the figures of the analytics consumer."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from ...application.analytics.figures import MinuteSales, RestaurantSales, Span, check_interval
from .arguments import parse_identifier, parse_time
from .session import rows, session

app = App(name="analytics")

Restaurant = Annotated[str | None, Parameter(help="only the orders of this restaurant")]
Start = Annotated[str | None, Parameter(help="only orders created at or after this time")]
End = Annotated[str | None, Parameter(help="only orders created before this time")]
SALES = ("currency", "orders", "cancelled", "gross revenue", "net revenue")
HOUR = timedelta(hours=1)
EARLIEST = datetime.min.replace(tzinfo=UTC)


@app.command
async def minutes(*, start: str | None = None, end: str | None = None, restaurant: Restaurant = None) -> None:
    """Show orders and revenue per minute, by currency; by default of the last hour. Times are RFC 3339."""
    until = parse_time(end, "end") or datetime.now(UTC)
    since = parse_time(start, "start") or (until - HOUR if until - EARLIEST > HOUR else EARLIEST)
    check_interval(since, until)
    only = parse_identifier(restaurant, "restaurant")
    async with session().opened() as container:
        found = await container.effects().analytics.per_minute(since, until, only)
    session().show(found, rows("minute", *SALES, of=((each.minute, *_sales(each)) for each in found)))


@app.command
async def restaurants(*, start: Start = None, end: End = None, restaurant: Restaurant = None) -> None:
    """Show orders and revenue per restaurant, by currency."""
    span, only = _span(start, end), parse_identifier(restaurant, "restaurant")
    async with session().opened() as container:
        found = await container.effects().analytics.per_restaurant(only, span)
    session().show(found, rows("restaurant", *SALES, of=((each.restaurant_id, *_sales(each)) for each in found)))


@app.command
async def states(*, start: Start = None, end: End = None, restaurant: Restaurant = None) -> None:
    """Show how many orders are in each state now, and how long orders stay in it, in seconds."""
    span, only = _span(start, end), parse_identifier(restaurant, "restaurant")
    async with session().opened() as container:
        counts = await container.effects().analytics.by_state(only, span)
        times = {t.state: t for t in await container.effects().analytics.time_in_states(only, span)}
    found = [
        {"state": state, "orders": count, "left": t.orders, "mean": t.mean, "median": t.median, "p90": t.p90}
        if (t := times.get(state))
        else {"state": state, "orders": count, "left": 0, "mean": None, "median": None, "p90": None}
        for state, count in counts.items()
    ]
    session().show(
        found,
        rows("state", "orders now", "orders that left it", "mean", "median", "p90", of=(f.values() for f in found)),
    )


@app.command
async def cancellations(*, start: Start = None, end: End = None, restaurant: Restaurant = None) -> None:
    """Show how many orders were cancelled, by reason."""
    span, only = _span(start, end), parse_identifier(restaurant, "restaurant")
    async with session().opened() as container:
        found = await container.effects().analytics.cancellations(only, span)
    session().show(found, rows("reason", "orders", of=found.items()))


@app.command
async def deliveries(*, start: Start = None, end: End = None, restaurant: Restaurant = None) -> None:
    """Show percentiles of the minutes from creation to delivery."""
    span, only = _span(start, end), parse_identifier(restaurant, "restaurant")
    async with session().opened() as container:
        session().show(await container.effects().analytics.delivery_times(only, span))


def _sales(found: MinuteSales | RestaurantSales) -> tuple[object, ...]:
    """Return the cells of the columns SALES."""
    return found.currency, found.orders, found.cancelled, found.gross_revenue, found.net_revenue


def _span(start: str | None, end: str | None) -> Span:
    return Span(parse_time(start, "start"), parse_time(end, "end"))
