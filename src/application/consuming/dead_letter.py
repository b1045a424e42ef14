"""Events that a consumer could not handle, and records that are none of ours: set aside, never lost."""

from datetime import datetime
from enum import StrEnum

from attrs import evolve, field, frozen

from ..event_log.records import LogRecord, Origin, UnrecognizedRecord
from ..operator_note import OperatorNote
from ..redaction import error_text, traceback_of

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
            message=error_text(failure)[:MAX_MESSAGE],
            trace=traceback_of(failure)[-MAX_TRACE:],
            attempts=self.attempts + 1,
            last_failed_at=at,
        )


class Outcome(StrEnum):
    """What became of a letter by somebody's note."""

    HANDLED = "handled"
    FAILED = "failed"
    """Its event failed again, and it stays."""
    DROPPED = "dropped"
    """Its event's effect is given up for this consumer."""


@frozen(kw_only=True)
class DeadLetterAction:
    """What somebody did about a letter: who, why and when (``word``), with which outcome.

    ``error`` is the class for which the letter was there; where its event failed again, the new one.
    """

    note: OperatorNote
    outcome: Outcome
    consumer: str
    order_id: str
    sequence: int
    bucket: int
    position: int
    type: str
    event_id: str
    error: str
    attempts: int

    @classmethod
    def of(cls, letter: DeadLetter, outcome: Outcome, note: OperatorNote) -> "DeadLetterAction":
        record = letter.record
        return cls(
            note=note,
            outcome=outcome,
            consumer=letter.consumer,
            order_id=record.order_id,
            sequence=record.sequence,
            bucket=record.bucket,
            position=record.position,
            type=record.type,
            event_id=record.event_id,
            error=letter.error,
            attempts=letter.attempts,
        )


@frozen(kw_only=True)
class SetAsideRecord:
    """A record of the topic that is no event of ours, as ``consumer`` found it; one for each place on the topic."""

    consumer: str
    record: UnrecognizedRecord
    found_at: datetime
