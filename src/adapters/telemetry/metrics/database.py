"""What a database's pool and statements show of themselves, through SQLAlchemy's events."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

from . import catalogue as the
from .instruments import Instruments
from .labels import OTHER

_BEGAN = "orderflow_began"
_OPERATIONS = ("select", "insert", "update", "delete", "with")


def watch_statements(engine: Engine, instruments: Instruments) -> None:
    """Each from now on. What goes past SQLAlchemy is not seen here: the commit of orders on PostgreSQL, and fetches."""

    def begins(_: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        setattr(context, _BEGAN, perf_counter())

    def ended(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        took = perf_counter() - getattr(context, _BEGAN)
        instruments.observe(the.STATEMENT_SECONDS, took, operation=_operation(statement))

    def failed(_: Any) -> None:
        instruments.add(the.STATEMENT_ERRORS)

    event.listen(engine, "before_cursor_execute", begins)
    event.listen(engine, "after_cursor_execute", ended)
    event.listen(engine, "handle_error", failed)


def watch_fetches(instruments: Instruments) -> Callable[[str, float, bool], None]:
    """For what is read straight from the driver, counted as all other statements are."""

    def fetched(statement: str, seconds: float, done: bool) -> None:
        if done:
            instruments.observe(the.STATEMENT_SECONDS, seconds, operation=_operation(statement))
        else:
            instruments.add(the.STATEMENT_ERRORS)

    return fetched


def _operation(statement: str) -> str:
    word = statement[:6].rstrip().lower()
    return next((known for known in _OPERATIONS if word.startswith(known)), OTHER)


def watch_pool(engine: Engine, instruments: Instruments) -> None:
    """How many connections are used and idle, from now on. An engine without a pool of connections shows nothing."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return

    def show(coming_back: int) -> None:
        instruments.set(the.POOL, max(0, pool.checkedout() - coming_back), state="used")
        instruments.set(the.POOL, pool.checkedin() + coming_back, state="idle")

    # The pool counts a connection that is given back as used until after its event.
    event.listen(engine, "checkout", lambda *_: show(0))
    event.listen(engine, "checkin", lambda *_: show(1))
    instruments.set(the.POOL_MAX, pool.size())
    show(0)
