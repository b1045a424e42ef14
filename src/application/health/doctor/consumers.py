"""Checks that a relay and all consumers run, that none refuses to continue, and that no order is parked."""

from collections.abc import Iterator

from ....domain.errors import LogBehindTopic
from ....domain.text import counted
from ...event_log.records import RELAY
from ...webhooks.endpoint import WEBHOOKS
from ..facts import StreamFacts
from ..lag import ReaderLag
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

RELAY_MISSING = problem(
    "relay_missing",
    "events wait to be published, and no relay is running",
    expected="at least one relay",
    fix="`orderflow relay`",
)
CONSUMER_MISSING = problem(
    "consumer_missing",
    "events wait for a consumer that no process runs",
    expected="a process for each consumer",
    fix="`orderflow consume CONSUMER`",
)
NOT_RUNNING = warning(
    "part_not_running",
    "other processes run, but none runs this part",
    expected="a process for the relay, and for each consumer",
    fix="`orderflow consume CONSUMER`",
)
LOG_BEHIND = problem(
    "log_behind_topic",
    "the relay or a consumer refuses to continue: the topic has events that the log lacks, as after a restore",
    expected="the database to which the topic belongs, or a repaired log",
    fix="`orderflow log repair --dry-run` shows what is lost; then see `docs/recovery.md`",
)
PART_STOPPED = problem(
    "part_stopped",
    "a part of a process stops with an error each time it is started again",
    expected="all parts of each process run",
    fix="read the process's log, which has the error and its traceback",
)
NO_MEMBERS = warning(
    "group_without_members",
    "a consumer group has no member, although there are events to read",
    expected="a member in each group",
    fix="check that its process reaches Kafka: `orderflow status`",
)
GONE = warning(
    "process_gone",
    "a process sends no heartbeat, and was not shut down",
    expected="a heartbeat every few seconds",
    fix="read its log and restart it; otherwise its entry is deleted after an hour",
)
PARKED = warning(
    "parked_orders",
    "orders are parked, because an event could not be handled",
    expected="none",
    fix="`orderflow dead-letters list`; when the cause is fixed, "
    "`orderflow dead-letters redrive CONSUMER --by NAME --reason TEXT`",
)
DIAGNOSTICS = (RELAY_MISSING, CONSUMER_MISSING, NOT_RUNNING, LOG_BEHIND, PART_STOPPED, NO_MEMBERS, GONE, PARKED)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    ours = {RELAY: "relay", **{name: name for name in expected.consumers}}
    missing = set()
    for lag in observation.readers or ():
        if lag.reader not in ours or observation.processes is None or observation.runs(ours[lag.reader]):
            continue
        missing.add(lag.reader)
        if lag.pending:
            yield _missing(lag, observation)
        elif observation.living():
            yield NOT_RUNNING.found(ours[lag.reader], fix=_start(lag.reader))
    yield from _refusing(observation)
    yield from _groups(observation, missing)
    for known in observation.processes or ():
        if known.gone:
            process = known.process
            yield GONE.found(
                f"{process.kind} on {process.host} (process {process.pid}), silent for {known.silent:.0f} s"
            )
    for consumer, orders in sorted((observation.parked or {}).items()):
        yield PARKED.found(f"{consumer}: {orders}")


def _refusing(observation: Observation) -> Iterator[Finding]:
    """Find parts that have stopped, and processes that have refused to continue since the log was last repaired."""
    repaired = observation.epochs.begun[-1].note.at if observation.epochs and observation.epochs.begun else None
    for known in observation.processes or ():
        failure = known.process.failure
        if failure and failure.code == LogBehindTopic.code and (repaired is None or failure.at > repaired):
            yield LOG_BEHIND.found(f"{known.process.kind} on {known.process.host}: {failure.message}")
        for part in known.process.parts:
            if part.stopped and part.stopped != LogBehindTopic.code:
                yield PART_STOPPED.found(f"{part.name} on {known.process.host}: {part.stopped}")


def _missing(lag: ReaderLag, observation: Observation) -> Finding:
    waiting = (observation.waiting or {}).get(lag.reader, 0.0)
    found = f"{counted(lag.events, 'event')} waiting, the oldest for {waiting:.0f} s"
    if lag.reader == RELAY:
        return RELAY_MISSING.found(found)
    return CONSUMER_MISSING.found(f"{lag.reader}: {found}", fix=_start(lag.reader))


def _start(reader: str) -> str:
    return "`orderflow relay`" if reader == RELAY else f"`orderflow consume {reader}`"


def _groups(observation: Observation, reported: set[str]) -> Iterator[Finding]:
    """Find groups without a member, except those of readers that are ``reported`` as missing."""
    if not isinstance(observation.stream, StreamFacts) or observation.stream.topic is None:
        return
    pending = {lag.reader for lag in observation.readers or () if lag.pending}
    unused = set() if observation.readers is None else {WEBHOOKS} - {lag.reader for lag in observation.readers}
    for reader, group in observation.stream.groups.items():
        if reader in unused:
            continue
        behind = group.lag(observation.stream.topic) if reader != RELAY else 0
        if not group.members and (behind or reader in pending) and reader not in reported:
            yield NO_MEMBERS.found(f"group {group.name} has no member, and {behind} offsets to read")
