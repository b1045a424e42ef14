"""Dead letters: events that a consumer could not handle, and records that are not events; kept, never lost."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from attrs import evolve, field, frozen

from ..event_log.records import LogRecord, Origin, UnrecognizedRecord
from ..operator_note import OperatorNote
from ..redaction import error_text, traceback_of

MAX_SET_ASIDE = 1_000
"""Unrecognized records of one consumer that are stored; further ones are only counted."""
MAX_MESSAGE = 2_000
MAX_TRACE = 8_000
"""Characters; of a longer traceback the end is kept, which has the error."""


@frozen(kw_only=True)
class DeadLetter:
    """One event set aside for ``consumer``. While an order has any, its later events follow it here, in order.

    ``error`` is the class of the error; empty for an event that only waits behind a failed one.
    ``message`` and ``trace`` are redacted (``application.redaction``).
    ``attempts`` counts the failed attempts, from ``first_failed_at`` to ``last_failed_at``.
    ``origin`` is None if the event was read from the log itself.
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
        """Return this dead letter after one more attempt, which ended with ``failure``."""
        return evolve(
            self,
            error=type(failure).__name__,
            message=error_text(failure)[:MAX_MESSAGE],
            trace=traceback_of(failure)[-MAX_TRACE:],
            attempts=self.attempts + 1,
            last_failed_at=at,
        )


class Outcome(StrEnum):
    """The result of an operator's action on a dead letter."""

    HANDLED = "handled"
    FAILED = "failed"
    """Its event failed again, so it is kept."""
    DROPPED = "dropped"
    """Its event is skipped by this consumer."""


@frozen(kw_only=True)
class DeadLetterAction:
    """An operator's action on a dead letter, with the operator's ``note`` and the outcome.

    ``error`` is the class of the error that the event was parked with, or, if it failed again, of the new error.
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
    def of(cls, dead_letter: DeadLetter, outcome: Outcome, note: OperatorNote) -> "DeadLetterAction":
        record = dead_letter.record
        return cls(
            note=note,
            outcome=outcome,
            consumer=dead_letter.consumer,
            order_id=record.order_id,
            sequence=record.sequence,
            bucket=record.bucket,
            position=record.position,
            type=record.type,
            event_id=record.event_id,
            error=dead_letter.error,
            attempts=dead_letter.attempts,
        )


@frozen(kw_only=True)
class SetAsideRecord:
    """A record of the topic that is not an event of orderflow, as ``consumer`` found it; one for each offset."""

    consumer: str
    record: UnrecognizedRecord
    found_at: datetime


SetAsideCounts = Mapping[tuple[str, int], tuple[int, int]]
"""By topic and partition, the offset of the last unrecognized record, and how many there are up to it."""


def count_new(
    records: Sequence[SetAsideRecord], counts: SetAsideCounts
) -> tuple[Sequence[SetAsideRecord], SetAsideCounts]:
    """Return those of ``records`` that are not in ``counts`` yet, and the counts with them."""
    new, after = [], dict(counts)
    for each in records:
        place = each.record.topic, each.record.partition
        last, number = after.get(place, (-1, 0))
        if each.record.offset > last:
            new.append(each)
            after[place] = each.record.offset, number + 1
    return new, after
