"""The board: the pages for people, at ``/``. They use the API as any other program does."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from ....application.sessions import CachedSessions

if TYPE_CHECKING:
    from ...simulation.watched_day import WatchedDay


@frozen(kw_only=True)
class Board:
    """The parts that only the board needs.

    ``sessions`` are those of the people who have logged in, and ``now`` is the clock by which they expire.
    ``available_orders``: shippers may list the orders that they may take. ``day`` is the simulated day that people
    watch, whose clock is then the service's.
    """

    sessions: CachedSessions
    now: Callable[[], Awaitable[datetime]]
    available_orders: bool = False
    day: "WatchedDay | None" = None
