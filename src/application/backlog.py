"""The backlog of a consumer that sends something outside."""

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class Backlog:
    """The numbers of what was not sent: ``pending``, with the time of the ``oldest``, and ``failed`` for good."""

    pending: int = 0
    oldest: datetime | None = None
    failed: int = 0
