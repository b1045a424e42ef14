"""Checks the topic for copies of dead letters, if one is configured."""

from collections.abc import Iterator

from ..facts import StreamFacts
from ..observation import Observation
from . import topic
from .expectations import Expectations
from .finding import Finding, problem, warning

MISSING = problem(
    "dead_letter_topic_missing",
    "the topic for copies of dead letters does not exist: the copies wait",
    wanted="the topic of ORDERFLOW_DEAD_LETTER_TOPIC",
    fix="`orderflow topics create`",
)
OTHERWISE = warning(
    "dead_letter_topic_settings",
    "the topic for copies of dead letters differs from what `orderflow topics create` makes",
    wanted="partitions, replicas and retention as configured, and a record limit above the largest event",
    fix="alter it as the findings of the event topic say; or delete it, then `orderflow topics create`",
)
DIAGNOSTICS = (MISSING, OTHERWISE)


def check(observation: Observation, wanted: Expectations) -> Iterator[Finding]:
    if not wanted.dead_letter_topic or not isinstance(observation.stream, StreamFacts):
        return
    if observation.stream.letters is None:
        yield MISSING.found(
            f"no topic {wanted.dead_letter_topic!r} among those of {', '.join(observation.stream.brokers)}"
        )
    elif unlike := [finding.found for finding in topic.unlike(observation.stream.letters, wanted)]:
        yield OTHERWISE.found(f"{wanted.dead_letter_topic}: {'; '.join(unlike)}")
