"""``orderflow relay`` with one other part: it sends its offsets outside the transaction, now and then. A script.

What it published since is published again by its successor: the campaign has to find that.
"""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.application.event_log.records import LogRecord
from orderflow.entrypoints.cli import main

EVERY = 5.0
"""Seconds: a kill meets what was published since, whatever the relay was doing just then."""
_publish = RelayProducer.publish
_notes: dict[int, str] = {}
_sent = [0.0]


def publish(
    self: RelayProducer, records: Sequence[tuple[int, LogRecord]], notes: Mapping[int, str], *others: Any, **named: Any
) -> None:
    if not records:
        _publish(self, records, notes, *others, **named)
        return
    _publish(self, records, {}, *others, **named)
    _notes.update(notes)
    if monotonic() - _sent[0] > EVERY:
        _publish(self, (), _notes, *others, **{**named, "ends": dict.fromkeys(_notes, 0)})
        _sent[0] = monotonic()
        _notes.clear()


if __name__ == "__main__":
    RelayProducer.publish = publish
    main()
