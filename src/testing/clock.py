"""A clock that is set by hand."""

from datetime import UTC, datetime, timedelta

from attrs import define


@define
class ManualClock:
    """Shows the same time until ``forward`` is called."""

    now: datetime = datetime(2024, 5, 17, 11, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    async def of_storage(self) -> datetime:
        """Return the same time, as that of a storage."""
        return self.now

    def forward(self, **time: float) -> None:
        """Move the time forward, as ``timedelta`` takes it (``seconds=3``)."""
        self.now += timedelta(**time)
