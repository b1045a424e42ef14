"""Routes to the figures of the consumer *analytics*: of all orders for admins, of its own ones for a restaurant."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from attrs import field, frozen
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide

from ...application.analytics.figures import DeliveryTimes, MinuteSales, RestaurantSales, Span, check_interval
from ...application.analytics.ports import AnalyticsQueries
from ...domain.actor import Actor, Role
from ...domain.errors import InvalidInput
from .openapi import problems
from .order_filter import RestaurantId
from .parameters import parse_identifier, parse_time, time
from .reads import json_response
from .role_guard import for_roles
from .views import view_of

MAX_SPAN = timedelta(days=31)
MOST = 10_000
"""Rows of one response. Callers choose the restaurants, currencies and reasons of their orders."""
MOST_MINUTES = 100_000
"""Rows of a response by minute: twice the minutes of MAX_SPAN, so that a service with two currencies gets all."""
AT_ONCE = 2
"""Figures that are read at the same time: each reads all orders, and other requests need the database, too."""
HOUR = timedelta(hours=1)
REFUSALS = problems(400, 401, 403, 500, 503)
Start = Annotated[str | None, time("start", "the default is one hour before the end")]
End = Annotated[str | None, time("end", "the default is now")]


@frozen(kw_only=True)
class MinutesView:
    """Orders and revenue by minute of creation and by currency. Minutes without orders are left out.

    With ``more``, these are the first 100,000.
    """

    minutes: tuple[MinuteSales, ...]
    more: bool


@frozen(kw_only=True)
class RestaurantsView:
    """Orders and revenue by restaurant and currency; with ``more``, those of the first 10,000."""

    restaurants: tuple[RestaurantSales, ...]
    more: bool


@frozen(kw_only=True)
class StateView:
    """``orders`` are in the state now, ``left`` have left it. The durations of these are in seconds."""

    state: str
    orders: int
    left: int
    mean: float | None
    median: int | None
    p90: int | None


@frozen(kw_only=True)
class StatesView:
    states: tuple[StateView, ...]


@frozen(kw_only=True)
class ReasonView:
    reason: str
    orders: int


@frozen(kw_only=True)
class CancellationsView:
    """Cancelled orders by reason, the most frequent reason first; with ``more``, the first 10,000."""

    reasons: tuple[ReasonView, ...]
    more: bool


admins_and_restaurants = for_roles(
    Role.ADMIN, Role.RESTAURANT, refused="may not read figures; only admins and restaurants may"
)


def _bounded(by: Actor, restaurant_id: str | None) -> str | None:
    """Return the restaurant whose figures ``by`` may read and asks for; None for all. Raises InvalidInput."""
    wanted = parse_identifier(restaurant_id, "restaurantId")
    if by.role is not Role.RESTAURANT:
        return wanted
    if wanted not in (None, by.id):
        raise InvalidInput("restaurantId", f"{wanted!r} is not you", f"{by.id!r}, or leave it out")
    return by.id


@frozen
class Figures:
    """The queries of the routes, as one named dependency. They take turns."""

    views: AnalyticsQueries
    turns: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(AT_ONCE))


@frozen
class FiguresSelection:
    """The selection of a call: the figures of ``restaurant``, or of all, about the orders of a span of time."""

    figures: Figures
    restaurant: str | None
    span: Span


def provide_selection(
    request: Request[Actor, Any, Any],
    figures: NamedDependency[Figures],
    start: Annotated[str | None, time("start", "only orders created at or after this time")] = None,
    end: Annotated[str | None, time("end", "only orders created before this time")] = None,
    restaurant_id: RestaurantId = None,
) -> FiguresSelection:
    """Return the selection with these parameters. Raises InvalidInput."""
    span = Span(None if start is None else parse_time(start, "start"), None if end is None else parse_time(end, "end"))
    return FiguresSelection(figures, _bounded(request.user, restaurant_id), span)


async def read_minutes(
    figures: Figures,
    by: Actor,
    start: str | None,
    end: str | None,
    restaurant_id: str | None,
    *,
    limit: int | None = None,
) -> Sequence[MinuteSales]:
    until = datetime.now(UTC) if end is None else parse_time(end, "end")
    since = max(until, datetime.min.replace(tzinfo=UTC) + HOUR) - HOUR if start is None else parse_time(start, "start")
    check_interval(since, until)
    if until - since > MAX_SPAN:
        raise InvalidInput(
            "start", f"it is {(until - since).days} days before the end", f"at most {MAX_SPAN.days} days"
        )
    restaurant = _bounded(by, restaurant_id)
    async with figures.turns:
        return await figures.views.per_minute(since, until, restaurant, limit=limit)


async def read_restaurants(selection: FiguresSelection, *, limit: int | None = None) -> Sequence[RestaurantSales]:
    async with selection.figures.turns:
        return await selection.figures.views.per_restaurant(selection.restaurant, selection.span, limit=limit)


async def read_states(selection: FiguresSelection) -> Sequence[StateView]:
    views = selection.figures.views
    async with selection.figures.turns:
        now = await views.by_state(selection.restaurant, selection.span)
        times = {each.state: each for each in await views.time_in_states(selection.restaurant, selection.span)}
    found = []
    for state, orders in now.items():
        stays = times.get(state)
        found.append(
            StateView(state=state, orders=orders, left=0, mean=None, median=None, p90=None)
            if stays is None
            else view_of(StateView, stays, orders=orders, left=stays.orders)
        )
    return found


async def read_cancellations(selection: FiguresSelection, *, limit: int | None = None) -> Sequence[ReasonView]:
    async with selection.figures.turns:
        counted = await selection.figures.views.cancellations(selection.restaurant, selection.span, limit=limit)
    return [ReasonView(reason=reason, orders=orders) for reason, orders in counted.items()]


async def read_deliveries(selection: FiguresSelection) -> Sequence[DeliveryTimes]:
    async with selection.figures.turns:
        return [await selection.figures.views.delivery_times(selection.restaurant, selection.span)]


@get(
    "/minutes",
    responses=REFUSALS,
    operation_id="salesPerMinute",
    summary="Orders and revenue per minute",
)
async def minutes(
    request: Request[Actor, Any, Any],
    figures: NamedDependency[Figures],
    start: Start = None,
    end: End = None,
    restaurant_id: RestaurantId = None,
) -> Response[MinutesView]:
    """Count the orders created from start until before end, at most 31 days."""
    found = await read_minutes(figures, request.user, start, end, restaurant_id, limit=MOST_MINUTES + 1)
    return json_response(MinutesView(minutes=tuple(found[:MOST_MINUTES]), more=len(found) > MOST_MINUTES))


of_a_span = partial(
    get, responses=REFUSALS, dependencies={"selection": Provide(provide_selection, sync_to_thread=False)}
)
"""A route whose figures are of a span of time."""


@of_a_span("/restaurants", operation_id="salesPerRestaurant", summary="Orders and revenue per restaurant")
async def restaurants(selection: NamedDependency[FiguresSelection]) -> Response[RestaurantsView]:
    """Include the orders created from start until before end; without these, all."""
    found = await read_restaurants(selection, limit=MOST + 1)
    return json_response(RestaurantsView(restaurants=tuple(found[:MOST]), more=len(found) > MOST))


@of_a_span("/states", operation_id="ordersByState", summary="Orders by state now, and the time spent in each")
async def states(selection: NamedDependency[FiguresSelection]) -> Response[StatesView]:
    """Return the states now of the orders created from start until before end; without these, of all.

    Mean, median and 90th percentile are of the seconds that orders spent in a state before they left it.
    """
    return json_response(StatesView(states=tuple(await read_states(selection))))


@of_a_span("/cancellations", operation_id="cancellationsByReason", summary="Cancelled orders by reason")
async def cancellations(selection: NamedDependency[FiguresSelection]) -> Response[CancellationsView]:
    """Include the cancelled ones of the orders created from start until before end; without these, all."""
    found = await read_cancellations(selection, limit=MOST + 1)
    return json_response(CancellationsView(reasons=tuple(found[:MOST]), more=len(found) > MOST))


@of_a_span("/deliveries", operation_id="deliveryTimes", summary="Delivery times")
async def deliveries(selection: NamedDependency[FiguresSelection]) -> Response[DeliveryTimes]:
    """Return percentiles of the whole minutes from creation to delivery, null before the first delivery.

    They are of the orders created from start until before end; without these, of all.
    """
    [times] = await read_deliveries(selection)
    return json_response(times)


ROUTES = (minutes, restaurants, states, cancellations, deliveries)
