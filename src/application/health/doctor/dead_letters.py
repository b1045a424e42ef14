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
    expected="the topic of ORDERFLOW_DEAD_LETTER_TOPIC",
    fix="`orderflow topics create`",
)
OTHERWISE = warning(
    "dead_letter_topic_settings",
    "the topic for copies of dead letters differs from what `orderflow topics create` makes",
    expected="partitions, replicas and retention as configured, and a record limit above the largest event",
    fix="alter it as the findings of the event topic say; or delete it, then `orderflow topics create`",
)
DIAGNOSTICS = (MISSING, OTHERWISE)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    if not expected.dead_letter_topic or not isinstance(observation.stream, StreamFacts):
        return
    if observation.stream.dead_letter_topic is None:
        yield MISSING.found(
            f"no topic {expected.dead_letter_topic!r} among those of {', '.join(observation.stream.brokers)}"
        )
    elif unlike := [finding.found for finding in topic.unlike(observation.stream.dead_letter_topic, expected)]:
        yield OTHERWISE.found(f"{expected.dead_letter_topic}: {'; '.join(unlike)}")
