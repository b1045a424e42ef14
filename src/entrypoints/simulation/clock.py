"""The virtual time of a simulation."""

from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta

from ...domain.errors import InvalidInput

DEFAULT_DATE = date(2024, 1, 1)
"""The date of a simulated day unless one is given; fixed, so that the same day always produces the same events."""


def time_at(day_date: date, seconds: int) -> datetime:
    """Return the time ``seconds`` after the UTC midnight at which ``day_date`` begins; it may be on a later date."""
    return datetime.combine(day_date, time(), tzinfo=UTC) + timedelta(seconds=seconds)


MIDNIGHT = time_at(DEFAULT_DATE, 0)


class VirtualClock:
    """A clock whose time changes only when it is set, separately in each asyncio task.

    A task starts with the time of the task that created it. Setting the clock affects that task and the tasks that
    it creates afterwards, so several tasks can simulate different orders concurrently.
    """

    def __init__(self) -> None:
        """Until the clock is set, its time is midnight of ``DEFAULT_DATE``."""
        self._now: ContextVar[datetime] = ContextVar("orderflow_virtual_now")

    def __call__(self) -> datetime:
        """Return the time of the current task, aware, in UTC."""
        return self._now.get(MIDNIGHT)

    def set(self, now: datetime) -> None:
        """Set the time of the current task; it may go back. Raises InvalidInput if ``now`` has no time zone."""
        if now.tzinfo is None:
            raise InvalidInput("now", "a time without a zone", "an aware datetime")
        self._now.set(now.astimezone(UTC))
