"""The headers of a parked event's copy: the event's own, and what happened to it."""

from ...application.consuming.dead_letter import DeadLetter
from .headers import headers


def dead_letter_headers(letter: DeadLetter, *, source: str) -> list[tuple[str, bytes]]:
    """The event's headers; then ``consumer``, ``attempts`` and ``failed-at``; ``error`` unless it only waits behind an
    event that failed; ``origin-topic``, ``origin-partition`` and ``origin-offset`` where it was read from a topic.

    Without the log's ``epoch``, which letters do not keep.
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
