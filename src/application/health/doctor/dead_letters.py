"""Whether copies of parked events have a topic to stand on, where they are asked for."""

from collections.abc import Iterator

from ..facts import StreamFacts
from ..observation import Observation
from . import topic
from .expectations import Expectations
from .finding import Finding, problem, warning

MISSING = problem(
    "dead_letter_topic_missing",
    "parked events are to be copied to a topic that is not there: the copies wait",
    wanted="the topic of ORDERFLOW_DEAD_LETTER_TOPIC",
    mend="`orderflow topics create`",
)
OTHERWISE = warning(
    "dead_letter_topic_settings",
    "the topic for copies of parked events is not as `orderflow topics create` makes it",
    wanted="partitions, copies and retention as the settings say, and room for the largest event",
    mend="alter it as the topic of events, whose findings say how; or delete it, then `orderflow topics create`",
)
DIAGNOSTICS = (MISSING, OTHERWISE)


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    if not wanted.dead_letter_topic or not isinstance(look.stream, StreamFacts):
        return
    if look.stream.letters is None:
        yield MISSING.found(f"no topic {wanted.dead_letter_topic!r} among those of {', '.join(look.stream.brokers)}")
    elif unlike := [finding.found for finding in topic.unlike(look.stream.letters, wanted)]:
        yield OTHERWISE.found(f"{wanted.dead_letter_topic}: {'; '.join(unlike)}")
