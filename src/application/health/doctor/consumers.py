"""Whether somebody does what is waited for: relay, consumers, and whoever looks after parked orders."""

from collections.abc import Iterator

from ....domain.errors import LogBehindTopic
from ...event_log.records import RELAY
from ..facts import StreamFacts
from ..lag import ReaderLag
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

RELAY_MISSING = problem(
    "relay_missing",
    "events wait for Kafka, and no relay is running",
    wanted="at least one relay",
    mend="`orderflow relay`",
)
CONSUMER_MISSING = problem(
    "consumer_missing",
    "events wait for a consumer that no process runs",
    wanted="a process for each consumer",
    mend="`orderflow consume CONSUMER`",
)
NOT_RUNNING = warning(
    "part_not_running",
    "some processes run, and none of them runs this",
    wanted="a process for the relay, and for each consumer",
    mend="`orderflow consume CONSUMER`",
)
LOG_BEHIND = problem(
    "log_behind_topic",
    "relay or consumers refuse to go on: the topic has what the log has not, as after a restore of the database",
    wanted="the database to which the topic belongs, or a log that was mended",
    mend="`orderflow log repair --dry-run` shows what is lost; then see `docs/recovery.md`",
)
NO_MEMBERS = warning(
    "group_without_members",
    "nobody is in a consumer group, although there is something to read",
    wanted="a member in each group",
    mend="see whether the process that should be in it reaches Kafka: `orderflow status`",
)
GONE = warning(
    "process_gone",
    "a process has not been heard of for a while, and did not end in order",
    wanted="a sign of life every few seconds",
    mend="see its log; start it again, or let its entry be forgotten within an hour",
)
PARKED = warning(
    "parked_orders",
    "orders are parked: an event of theirs could not be handled",
    wanted="none",
    mend="`orderflow dead-letters list`; when the reason is gone, "
    "`orderflow dead-letters redrive CONSUMER --by NAME --reason TEXT`",
)
DIAGNOSTICS = (RELAY_MISSING, CONSUMER_MISSING, NOT_RUNNING, LOG_BEHIND, NO_MEMBERS, GONE, PARKED)


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    ours = {RELAY: "relay", **{name: name for name in wanted.consumers}}
    missing = set()
    for lag in look.readers or ():
        if lag.reader not in ours or look.processes is None or look.runs(ours[lag.reader]):
            continue
        missing.add(lag.reader)
        if lag.waited_for:
            yield _missing(lag, look)
        elif look.living():
            yield NOT_RUNNING.found(ours[lag.reader], mend=_start(lag.reader))
    yield from _refusing(look)
    yield from _groups(look, missing)
    for seen in look.processes or ():
        if seen.gone:
            yield GONE.found(_gone(seen.process.kind, seen.process.host, seen.process.pid, seen.silent))
    for consumer, orders in sorted((look.parked or {}).items()):
        yield PARKED.found(f"{consumer}: {orders}")


def _refusing(look: Observation) -> Iterator[Finding]:
    """Those who refused since the log was mended last."""
    mended = look.epochs.begun[-1].note.at if look.epochs and look.epochs.begun else None
    for seen in look.processes or ():
        failure = seen.process.failure
        if failure and failure.code == LogBehindTopic.code and (mended is None or failure.at > mended):
            yield LOG_BEHIND.found(f"{seen.process.kind} on {seen.process.host}: {failure.message}")


def _missing(lag: ReaderLag, look: Observation) -> Finding:
    waiting = (look.waiting or {}).get(lag.reader, 0.0)
    if lag.reader == RELAY:
        return RELAY_MISSING.found(f"{lag.events} events wait, the oldest for {waiting:.0f} s")
    return CONSUMER_MISSING.found(
        f"{lag.reader}: {lag.events} events wait, the oldest for {waiting:.0f} s",
        mend=_start(lag.reader),
    )


def _start(reader: str) -> str:
    return "`orderflow relay`" if reader == RELAY else f"`orderflow consume {reader}`"


def _groups(look: Observation, told: set[str]) -> Iterator[Finding]:
    """Groups without a member; of a reader that nobody runs it has been ``told`` already."""
    if not isinstance(look.stream, StreamFacts) or look.stream.topic is None:
        return
    waited_for = {lag.reader for lag in look.readers or () if lag.waited_for}
    for reader, group in look.stream.groups.items():
        behind = group.lag(look.stream.topic) if reader != RELAY else 0
        if not group.members and (behind or reader in waited_for) and reader not in told:
            yield NO_MEMBERS.found(f"group {group.name} has no member, and {behind} offsets to read")


def _gone(kind: str, host: str, pid: int, silent: float) -> str:
    return f"{kind} on {host} (process {pid}), silent for {silent:.0f} s"
