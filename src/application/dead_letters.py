"""Events that a consumer could not handle, and records that are none of ours: set aside, never lost."""

from datetime import datetime

from attrs import evolve, field, frozen

from .discreet import told, traceback_of
from .log import Foreign, LogRecord, Origin

MAX_MESSAGE = 2_000
MAX_TRACE = 8_000
"""Characters; of a longer traceback the end is kept, where the failure is."""


@frozen(kw_only=True)
class DeadLetter:
    """One event set aside for ``consumer``. While an order has any, its later events follow it here, in order.

    ``error`` is the class that failed; empty for an event that only waits behind a failed one, untried.
    ``message`` and ``trace`` are what may be told of it (``application.discreet``).
    ``attempts`` counts the tries that failed, from ``first_failed_at`` to ``last_failed_at``.
    ``origin`` is None where the event was read straight from the log.
    """

    consumer: str
    record: LogRecord
    error: str = ""
    message: str = ""
    trace: str = field(default="", repr=False)
    attempts: int = 0
    first_failed_at: datetime
    last_failed_at: datetime
    origin: Origin | None = None

    def failed_again(self, failure: Exception, at: datetime) -> "DeadLetter":
        """This letter after one more try that ended in ``failure``."""
        return evolve(
            self,
            error=type(failure).__name__,
            message=told(failure)[:MAX_MESSAGE],
            trace=traceback_of(failure)[-MAX_TRACE:],
            attempts=self.attempts + 1,
            last_failed_at=at,
        )


@frozen(kw_only=True)
class ForeignLetter:
    """A record of the topic that is no event of ours, as ``consumer`` found it; one for each place on the topic."""

    consumer: str
    record: Foreign
    found_at: datetime
