"""The headers of a record on the dead-letter topic: those of the event, and why it is parked."""

from ...application.consuming.dead_letter import DeadLetter
from .headers import headers


def dead_letter_headers(letter: DeadLetter, *, source: str) -> list[tuple[str, bytes]]:
    """Build the headers: those of the event, then ``consumer``, ``attempts`` and ``failed-at``.

    ``error`` is absent if the event is only queued behind one that failed. ``origin-topic``, ``origin-partition`` and
    ``origin-offset`` are present if it was read from a topic. ``epoch`` is left out: dead letters do not keep it.
    """
    told = [
        *(header for header in headers(letter.record, source=source) if header[0] != "epoch"),
        ("consumer", letter.consumer.encode()),
        ("attempts", b"%d" % letter.attempts),
        ("failed-at", letter.last_failed_at.isoformat().replace("+00:00", "Z").encode()),
    ]
    if letter.error:
        told.append(("error", letter.error.encode()))
    if letter.origin is not None:
        told.append(("origin-topic", letter.origin.topic.encode()))
        told.append(("origin-partition", b"%d" % letter.origin.partition))
        told.append(("origin-offset", b"%d" % letter.origin.offset))
    return told
