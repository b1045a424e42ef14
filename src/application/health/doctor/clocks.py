"""Whether the clocks of this machine, the database, Kafka and the processes agree."""

from collections.abc import Iterator

from ..facts import ClockOffset, DatabaseFacts, StreamFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Diagnostic, Finding, note, warning

TOLERATED_SECONDS = 1.0
"""How far clocks may be apart: ages, time limits and what follows what are told to the second."""
BEAT_SECONDS = 3.0
"""How long a process's own time may be on its way to the database before it tells nothing of its clock."""
_SYNCHRONISE = "synchronise both clocks by NTP: `timedatectl set-ntp true`"


def _apart(code: str, what: str) -> Diagnostic:
    return warning(code, what, wanted=f"at most {TOLERATED_SECONDS:g} s apart", mend=_SYNCHRONISE)


DATABASE_CLOCK = _apart("clock_database", "the clocks of the database and of this machine differ")
KAFKA_CLOCK = _apart("clock_kafka", "the clocks of Kafka and of this machine differ")
PROCESS_CLOCK = _apart("clock_process", "the clock of a process's machine and that of the database differ")
KAFKA_CLOCK_UNKNOWN = note(
    "clock_kafka_unknown",
    "Kafka's time could not be found out",
    wanted="the time that it writes into `__consumer_offsets`",
    mend="allow this user to describe that topic, and to commit as group `<topic>-doctor`",
)
DIAGNOSTICS = (DATABASE_CLOCK, KAFKA_CLOCK, PROCESS_CLOCK, KAFKA_CLOCK_UNKNOWN)


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    if isinstance(look.database, DatabaseFacts) and look.database.clock is not None:
        yield from _compared(DATABASE_CLOCK, look.database.clock)
    if isinstance(look.stream, StreamFacts) and look.stream.topic is not None:
        if look.stream.clock is None:
            yield KAFKA_CLOCK_UNKNOWN.found("it was not told")
        else:
            yield from _compared(KAFKA_CLOCK, look.stream.clock)
    for seen in look.living():
        # What a process says travels for a while, so its clock may only seem to be behind.
        offset = ClockOffset(seen.clock_ahead + BEAT_SECONDS / 2, BEAT_SECONDS / 2)
        if offset.surely > TOLERATED_SECONDS:
            process = seen.process
            yield PROCESS_CLOCK.found(f"{process.host} (process {process.pid}) {_told(seen.clock_ahead)}")


def _compared(diagnostic: Diagnostic, offset: ClockOffset) -> Iterator[Finding]:
    if offset.surely > TOLERATED_SECONDS:
        yield diagnostic.found(f"it {_told(offset.ahead)}, to within {offset.uncertain:.3f} s")


def _told(ahead: float) -> str:
    return f"is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"
