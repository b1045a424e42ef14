"""What waits to be sent outside."""

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class Backlog:
    """What was not sent: ``pending``, with the time of the ``oldest``, and ``failed`` for good."""

    pending: int = 0
    oldest: datetime | None = None
    failed: int = 0
