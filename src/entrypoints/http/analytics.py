"""Routes to the figures of the consumer *analytics*. They are the whole service's, so they are for admins."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from attrs import frozen
from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency as Given
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from ...application.analytics.figures import DeliveryTimes, MinuteSales, RestaurantSales
from ...application.analytics.ports import AnalyticsQueries
from ...domain.actor import Actor, Role
from ...domain.errors import InvalidInput
from .openapi import CORRELATION, problems
from .parameters import moment, time
from .reads import answered

LONGEST = timedelta(days=31)
HOUR = timedelta(hours=1)
REFUSALS = problems(400, 401, 403, 500, 503)


@frozen(kw_only=True)
class MinutesView:
    """Orders and revenue by the minute of creation and by currency; idle minutes are left out."""

    minutes: tuple[MinuteSales, ...]


@frozen(kw_only=True)
class RestaurantsView:
    """Orders and revenue by restaurant and currency."""

    restaurants: tuple[RestaurantSales, ...]


@frozen(kw_only=True)
class StateView:
    """``orders`` are in it now, ``left`` were once; those stayed for so many seconds."""

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
    """The most frequent reason first."""

    reasons: tuple[ReasonView, ...]


@frozen
class Figures:
    """What the routes read. Named so that it can be injected as one thing."""

    views: AnalyticsQueries


async def admins_only(connection: ASGIConnection[Any, Actor, Any, Any], _: BaseRouteHandler) -> None:
    by = connection.user
    if by.role is not Role.ADMIN:
        raise HTTPException(detail=f"{by} may not read the service's figures; an admin may", status_code=403)


@get(
    "/minutes",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="salesPerMinute",
    summary="Orders and revenue per minute",
    opt={"query": {"start", "end"}},
)
async def minutes(
    figures: Given[Figures],
    start: Annotated[str | None, time("start", "an hour before the end, if not given")] = None,
    end: Annotated[str | None, time("end", "now, if not given")] = None,
) -> Response[MinutesView]:
    """Of the orders created from start until before end, at most 31 days."""
    until = datetime.now(UTC) if end is None else moment(end, "end")
    since = max(until, datetime.min.replace(tzinfo=UTC) + HOUR) - HOUR if start is None else moment(start, "start")
    if until - since > LONGEST:
        raise InvalidInput("start", f"it is {(until - since).days} days before the end", f"at most {LONGEST.days} days")
    return answered(MinutesView(minutes=tuple(await figures.views.per_minute(since, until))))


@get(
    "/restaurants",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="salesPerRestaurant",
    summary="Orders and revenue per restaurant",
)
async def restaurants(figures: Given[Figures]) -> Response[RestaurantsView]:
    """Of all orders ever."""
    return answered(RestaurantsView(restaurants=tuple(await figures.views.per_restaurant())))


@get(
    "/states",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="ordersByState",
    summary="Orders by state now, and the time spent in each",
)
async def states(figures: Given[Figures]) -> Response[StatesView]:
    """Mean, median and 90th percentile of the seconds that orders stayed before they left the state."""
    now, times = await figures.views.by_state(), {one.state: one for one in await figures.views.time_in_states()}
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
    return answered(StatesView(states=tuple(found)))


@get(
    "/cancellations",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="cancellationsByReason",
    summary="Cancelled orders by reason",
)
async def cancellations(figures: Given[Figures]) -> Response[CancellationsView]:
    """Of all orders ever."""
    counted = await figures.views.cancellations()
    reasons = tuple(ReasonView(reason=reason, orders=orders) for reason, orders in counted.items())
    return answered(CancellationsView(reasons=reasons))


@get(
    "/deliveries",
    response_headers=[CORRELATION],
    responses=REFUSALS,
    operation_id="deliveryTimes",
    summary="Delivery times",
)
async def deliveries(figures: Given[Figures]) -> Response[DeliveryTimes]:
    """Percentiles of the whole minutes from creation to delivery; null while nothing was delivered."""
    return answered(await figures.views.delivery_times())


ROUTES = (minutes, restaurants, states, cancellations, deliveries)
