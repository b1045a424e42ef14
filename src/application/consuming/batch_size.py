"""The size of a batch, which a slow handler reduces."""

from attrs import define

BATCH_SECONDS = 0.5
"""About the time of one batch: so long a pause or a stop waits for it, and so much is repeated after a crash."""


@define
class BatchSize:
    """Grows while batches are fast, up to ``at_most`` events, and shrinks as soon as one is slow."""

    at_most: int
    now: int = 1

    def handled(self, events: int, seconds: float) -> None:
        """Note that a batch of that many events took so long."""
        if seconds > BATCH_SECONDS:
            self.now = max(1, min(self.now // 2, int(events * BATCH_SECONDS / seconds)))
        elif events >= self.now:
            self.now = min(self.now * 2, self.at_most)
