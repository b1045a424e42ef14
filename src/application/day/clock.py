"""The time of a day that is lived faster than it passed."""

from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta

from ...domain.errors import InvalidInput

DAY_DATE = date(2024, 1, 1)
"""The date that a day gets when nobody names one; fixed, so that the same day twice gives the same events."""


def moment(day_date: date, seconds: int) -> datetime:
    """``seconds`` after the UTC midnight that begins ``day_date``; may reach into later dates."""
    return datetime.combine(day_date, time(), tzinfo=UTC) + timedelta(seconds=seconds)


class VirtualClock:
    """A clock that stands still until it is set, for each asyncio task on its own.

    A task begins with the time of the task that made it; setting it afterwards is seen by that task, and by those
    that it makes from then on, and by nobody else. So several tasks can live different orders at once.
    """

    def __init__(self, start: datetime | None = None) -> None:
        """``start`` is the time where nobody has set one, by default midnight of ``DAY_DATE``.

        Raises InvalidInput for a ``start`` without a zone.
        """
        self._start = moment(DAY_DATE, 0) if start is None else _utc(start)
        self._now: ContextVar[datetime] = ContextVar("orderflow_virtual_now")

    def __call__(self) -> datetime:
        """The time of this task, aware, UTC."""
        return self._now.get(self._start)

    def set(self, now: datetime) -> None:
        """From here on it is ``now`` in this task; time may go back. Raises InvalidInput without a zone."""
        self._now.set(_utc(now))


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput("now", "a time without a zone", "an aware datetime")
    return at.astimezone(UTC)
