"""The clock and the source of new identifiers, which use-cases get as arguments."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


class NewId(Protocol):
    """Makes identifiers."""

    def __call__(self) -> str:
        """Return an identifier that was never returned before (a UUIDv7 by default)."""
        ...
