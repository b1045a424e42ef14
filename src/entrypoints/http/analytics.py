"""Routes to the figures of the consumer *analytics*. They cover the whole service, so they are for admins only."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from attrs import frozen
from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from ...application.analytics.figures import DeliveryTimes, MinuteSales, RestaurantSales, check_interval
from ...application.analytics.ports import AnalyticsQueries
from ...domain.actor import Actor, Role
from ...domain.errors import InvalidInput
from .openapi import CORRELATION, problems
from .parameters import parse_time, time
from .reads import json_response

MAX_SPAN = timedelta(days=31)
HOUR = timedelta(hours=1)
REFUSALS = problems(400, 401, 403, 500, 503)


@frozen(kw_only=True)
class MinutesView:
    """Orders and revenue by minute of creation and by currency. Minutes without orders are left out."""

    minutes: tuple[MinuteSales, ...]


@frozen(kw_only=True)
class RestaurantsView:
    """Orders and revenue by restaurant and currency."""

    restaurants: tuple[RestaurantSales, ...]


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
    """Cancelled orders by reason, the most frequent reason first."""

    reasons: tuple[ReasonView, ...]


@frozen
class Figures:
    """The queries of the routes, as one named dependency."""

    views: AnalyticsQueries


async def admins_only(connection: ASGIConnection[Any, Actor, Any, Any], _: BaseRouteHandler) -> None:
    by = connection.user
    if by.role is not Role.ADMIN:
        raise HTTPException(detail=f"{by} may not read the figures of the service; only admins may", status_code=403)


@get(
    "/minutes",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="salesPerMinute",
    summary="Orders and revenue per minute",
    opt={"query": {"start", "end"}},
)
async def minutes(
    figures: NamedDependency[Figures],
    start: Annotated[str | None, time("start", "the default is one hour before the end")] = None,
    end: Annotated[str | None, time("end", "the default is now")] = None,
) -> Response[MinutesView]:
    """Count the orders created from start until before end, at most 31 days."""
    until = datetime.now(UTC) if end is None else parse_time(end, "end")
    since = max(until, datetime.min.replace(tzinfo=UTC) + HOUR) - HOUR if start is None else parse_time(start, "start")
    check_interval(since, until)
    if until - since > MAX_SPAN:
        raise InvalidInput(
            "start", f"it is {(until - since).days} days before the end", f"at most {MAX_SPAN.days} days"
        )
    return json_response(MinutesView(minutes=tuple(await figures.views.per_minute(since, until))))


@get(
    "/restaurants",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="salesPerRestaurant",
    summary="Orders and revenue per restaurant",
)
async def restaurants(figures: NamedDependency[Figures]) -> Response[RestaurantsView]:
    """Include all orders that were ever created."""
    return json_response(RestaurantsView(restaurants=tuple(await figures.views.per_restaurant())))


@get(
    "/states",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="ordersByState",
    summary="Orders by state now, and the time spent in each",
)
async def states(figures: NamedDependency[Figures]) -> Response[StatesView]:
    """Return mean, median and 90th percentile of the seconds that orders spent in a state before they left it."""
    now, times = await figures.views.by_state(), {each.state: each for each in await figures.views.time_in_states()}
    found = []
    for state, orders in now.items():
        stays = times.get(state)
        found.append(
            StateView(state=state, orders=orders, left=0, mean=None, median=None, p90=None)
            if stays is None
            else StateView(
                state=state, orders=orders, left=stays.orders, mean=stays.mean, median=stays.median, p90=stays.p90
            )
        )
    return json_response(StatesView(states=tuple(found)))


@get(
    "/cancellations",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="cancellationsByReason",
    summary="Cancelled orders by reason",
)
async def cancellations(figures: NamedDependency[Figures]) -> Response[CancellationsView]:
    """Include all orders that were ever cancelled."""
    counted = await figures.views.cancellations()
    reasons = tuple(ReasonView(reason=reason, orders=orders) for reason, orders in counted.items())
    return json_response(CancellationsView(reasons=reasons))


@get(
    "/deliveries",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="deliveryTimes",
    summary="Delivery times",
)
async def deliveries(figures: NamedDependency[Figures]) -> Response[DeliveryTimes]:
    """Return percentiles of the whole minutes from creation to delivery, null before the first delivery."""
    return json_response(await figures.views.delivery_times())


ROUTES = (minutes, restaurants, states, cancellations, deliveries)
