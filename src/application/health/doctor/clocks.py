"""Checks that the clocks of this machine, the database, Kafka and the processes agree."""

from collections.abc import Iterator

from ..facts import ClockOffset, DatabaseFacts, StreamFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Diagnostic, Finding, note, warning

TOLERATED_SECONDS = 1.0
"""The offset between clocks that is allowed: ages and time limits are exact to the second."""
BEAT_SECONDS = 3.0
"""The longest time that a heartbeat may take to reach the database."""
_SYNCHRONISE = "synchronise both clocks by NTP: `timedatectl set-ntp true`"


def _apart(code: str, what: str) -> Diagnostic:
    return warning(code, what, expected=f"at most {TOLERATED_SECONDS:g} s apart", fix=_SYNCHRONISE)


DATABASE_CLOCK = _apart("clock_database", "the clocks of the database and of this machine differ")
KAFKA_CLOCK = _apart("clock_kafka", "the clocks of Kafka and of this machine differ")
PROCESS_CLOCK = _apart("clock_process", "the clock of a process's machine and that of the database differ")
KAFKA_CLOCK_UNKNOWN = note(
    "clock_kafka_unknown",
    "Kafka's time could not be read",
    expected="the time that it writes into `__consumer_offsets`",
    fix="allow this user to describe that topic, and to commit as group `<topic>-doctor`",
)
DIAGNOSTICS = (DATABASE_CLOCK, KAFKA_CLOCK, PROCESS_CLOCK, KAFKA_CLOCK_UNKNOWN)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    if isinstance(observation.database, DatabaseFacts) and observation.database.clock is not None:
        yield from _compared(DATABASE_CLOCK, observation.database.clock)
    if isinstance(observation.stream, StreamFacts) and observation.stream.topic is not None:
        if observation.stream.clock is None:
            yield KAFKA_CLOCK_UNKNOWN.found("it was not readable")
        else:
            yield from _compared(KAFKA_CLOCK, observation.stream.clock)
    for known in observation.living():
        # A heartbeat takes some time to arrive, so the process's clock may only seem to be behind.
        offset = ClockOffset(known.clock_ahead + BEAT_SECONDS / 2, BEAT_SECONDS / 2)
        if offset.at_least > TOLERATED_SECONDS:
            process = known.process
            yield PROCESS_CLOCK.found(f"{process.host} (process {process.pid}) {_offset(known.clock_ahead)}")


def _compared(diagnostic: Diagnostic, offset: ClockOffset) -> Iterator[Finding]:
    if offset.at_least > TOLERATED_SECONDS:
        yield diagnostic.found(f"it {_offset(offset.ahead)}, to within {offset.uncertain:.3f} s")


def _offset(ahead: float) -> str:
    return f"is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"
