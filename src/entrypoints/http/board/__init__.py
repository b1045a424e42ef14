"""The board: the pages for people, at ``/``. They use the API as any other program does."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from attrs import frozen

from ....application.sessions import CachedSessions


@frozen(kw_only=True)
class Board:
    """The parts that only the board needs.

    ``sessions`` are those of the people who have logged in, and ``now`` is the clock by which they expire.
    ``available_orders``: shippers may list the orders that they may take.
    """

    sessions: CachedSessions
    now: Callable[[], Awaitable[datetime]]
    available_orders: bool = False
