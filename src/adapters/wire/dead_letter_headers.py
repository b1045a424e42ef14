"""The headers of a record on the topic of dead letters: those of the event, and why it is parked."""

from ...application.consuming.dead_letter import DeadLetter
from .headers import headers


def dead_letter_headers(dead_letter: DeadLetter, *, source: str) -> list[tuple[str, bytes]]:
    """Build the headers: those of the event, then ``consumer``, ``attempts`` and ``failed-at``.

    ``error`` is absent if the event is only queued behind one that failed. ``origin-topic``, ``origin-partition`` and
    ``origin-offset`` are present if it was read from a topic. ``epoch`` is left out: dead letters do not keep it.
    """
    result = [
        *(header for header in headers(dead_letter.record, source=source) if header[0] != "epoch"),
        ("consumer", dead_letter.consumer.encode()),
        ("attempts", b"%d" % dead_letter.attempts),
        ("failed-at", dead_letter.last_failed_at.isoformat().replace("+00:00", "Z").encode()),
    ]
    if dead_letter.error:
        result.append(("error", dead_letter.error.encode()))
    if dead_letter.origin is not None:
        result.append(("origin-topic", dead_letter.origin.topic.encode()))
        result.append(("origin-partition", b"%d" % dead_letter.origin.partition))
        result.append(("origin-offset", b"%d" % dead_letter.origin.offset))
    return result
