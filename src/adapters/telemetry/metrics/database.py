"""Metrics of a database's pool and statements, through SQLAlchemy's events."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

from . import catalogue
from .instruments import Instruments
from .labels import OTHER

_BEGAN = "orderflow_began"
_OPERATIONS = ("select", "insert", "update", "delete", "with")


def watch_statements(engine: Engine, instruments: Instruments) -> None:
    """Count statements from now on; not those outside of SQLAlchemy: commits of orders on PostgreSQL, and fetches."""

    def begins(_: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        setattr(context, _BEGAN, perf_counter())

    def ended(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        took = perf_counter() - getattr(context, _BEGAN)
        instruments.observe(catalogue.STATEMENT_SECONDS, took, operation=_operation(statement))

    def failed(_: Any) -> None:
        instruments.add(catalogue.STATEMENT_ERRORS)

    event.listen(engine, "before_cursor_execute", begins)
    event.listen(engine, "after_cursor_execute", ended)
    event.listen(engine, "handle_error", failed)


def watch_fetches(instruments: Instruments) -> Callable[[str, float, bool], None]:
    """Return the observer of statements that are read directly from the driver, counted like all others."""

    def fetched(statement: str, seconds: float, done: bool) -> None:
        if done:
            instruments.observe(catalogue.STATEMENT_SECONDS, seconds, operation=_operation(statement))
        else:
            instruments.add(catalogue.STATEMENT_ERRORS)

    return fetched


def _operation(statement: str) -> str:
    verb = statement[:6].rstrip().lower()
    return next((operation for operation in _OPERATIONS if verb.startswith(operation)), OTHER)


def watch_pool(engine: Engine, instruments: Instruments) -> None:
    """Show how many connections are used and idle, from now on. An engine without a pool shows nothing."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return

    def show(coming_back: int) -> None:
        instruments.set(catalogue.POOL, max(0, pool.checkedout() - coming_back), state="used")
        instruments.set(catalogue.POOL, pool.checkedin() + coming_back, state="idle")

    # The pool counts a connection that is given back as used until after its event.
    event.listen(engine, "checkout", lambda *_: show(0))
    event.listen(engine, "checkin", lambda *_: show(1))
    instruments.set(catalogue.POOL_MAX, pool.size())
    show(0)
