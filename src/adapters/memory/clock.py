"""The time of a storage in memory, and what is due at it."""

from datetime import UTC, datetime, timedelta
from time import monotonic

from attrs import field, frozen


@frozen
class SteadyClock:
    """Returns the time at which it was made, continued by the monotonic clock, which cannot be set."""

    began_at: datetime = field(factory=lambda: datetime.now(UTC))
    _began: float = field(factory=monotonic)

    def __call__(self) -> datetime:
        return self.began_at + timedelta(seconds=monotonic() - self._began)


def due(at: datetime, now: datetime, until: datetime) -> bool:
    """Return whether ``at`` is due at ``now``; no claim and no pause that begins now ends after ``until``.

    What seems to be due after twice that time was stored by a wrong clock, and is due.
    """
    return at <= now or at > until + (until - now)
