"""What the use-cases need from the world, as promises. One contract suite a port holds every adapter to them."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    pass


class Clock(Protocol):
    def __call__(self) -> datetime:
        """The time now, aware, UTC."""
        ...


class NewId(Protocol):
    def __call__(self) -> str:
        """An identifier that nobody has had before (UUIDv7 where nothing else is asked for)."""
        ...
