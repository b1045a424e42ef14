"""The routes of a day that is watched: its map and its clock. Only ``orderflow demo`` has them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from attrs import frozen
from litestar import Response, Router, get, put
from litestar.params import JSONBody

from ....application.auth import Scope
from ....domain.actor import Role
from ....domain.errors import InvalidInput
from ...simulation.clock import MIDNIGHT
from ...simulation.courier_ways import CourierWay, Place
from ...simulation.watched_day import WatchedDay
from ..body_fields import Body
from ..exact_body import ExactBody
from ..reads import json_response
from ..role_guard import for_roles
from ..routers import OwnRouter
from ..views import view_of

PATH = "/board/day"
_admins_only = for_roles(Role.ADMIN, refused="may not watch the day; only admins may")


class PaceBody(Body):
    """The pace of the day from now on: seconds of it per second, null for as fast as it can."""

    speed: int | None
    paused: bool


@frozen(kw_only=True)
class ClockView:
    """The time of the day, how fast it runs, and how many of its steps have been executed; what is left at its end."""

    time: datetime
    speed: float | None
    paused: bool
    is_over: bool
    steps: int
    planned: int
    left: tuple[str, ...]


@frozen(kw_only=True)
class DayView:
    """The places of the day in metres, and the ways of its couriers in seconds after ``midnight``."""

    name: str
    midnight: datetime
    restaurants: tuple[Place, ...]
    orders: tuple[Place, ...]
    couriers: tuple[CourierWay, ...]


def day_router(day: WatchedDay, guards: list[Callable[..., Awaitable[None]]]) -> Router:
    """Return the routes of ``day``. Everyone who may log in reads its clock; its map and its pace are for admins."""

    @get(PATH, guards=[_admins_only])
    async def map_of_the_day() -> Response[Any]:
        """Return the places of the day and the ways of its couriers, which never change."""
        return json_response(view_of(DayView, day.geography, name=day.name, midnight=MIDNIGHT))

    @get(f"{PATH}/clock")
    async def clock() -> Response[Any]:
        """Return the time of the day, which begins when it is asked for first."""
        day.seen.set()
        return json_response(_clock_view(day))

    @put(f"{PATH}/clock", guards=[_admins_only], dto=ExactBody[PaceBody], return_dto=None, scope=Scope.OPERATE)
    async def change_pace(data: JSONBody[PaceBody]) -> Response[Any]:
        """Change the pace of the day. Raises InvalidInput, also if the day is over."""
        if day.is_over:
            raise InvalidInput("speed", "the day is over", "nothing: its clock runs as any other from now on")
        day.clock.change(speed=data.speed, paused=data.paused)
        return json_response(_clock_view(day))

    return OwnRouter(
        "/", route_handlers=[map_of_the_day, clock, change_pace], guards=[*guards], include_in_schema=False
    )


def _clock_view(day: WatchedDay) -> ClockView:
    return view_of(ClockView, day, time=day.clock.now, speed=day.clock.speed, paused=day.clock.paused)
