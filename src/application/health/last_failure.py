"""The last failure in this process, which its registration shows."""

from attrs import define, field

from ...domain.errors import (
    LogBehindTopic,
    LogGap,
    NotConfigured,
    StaleCursor,
    StorageUnavailable,
    StreamUnavailable,
    TopicMismatch,
)
from ..clock import Clock
from ..redaction import code_of, error_text
from .processes import Failure

MAX_MESSAGE = 300
"""Characters of a message that are kept."""
_WITHOUT_PERSONAL_DATA = (
    LogBehindTopic,
    LogGap,
    NotConfigured,
    StaleCursor,
    StorageUnavailable,
    StreamUnavailable,
    TopicMismatch,
)
"""Errors whose messages contain servers, positions and settings only."""


@define(eq=False)
class Failures:
    """Counts the failures of this process, and keeps the last one."""

    clock: Clock
    count: int = field(default=0, init=False)
    last: Failure | None = field(default=None, init=False)

    def note(self, part: str, error: BaseException) -> None:
        """Note a failure of ``part``: its code, and its message if that cannot contain personal data."""
        message = error_text(error)[:MAX_MESSAGE] if isinstance(error, _WITHOUT_PERSONAL_DATA) else ""
        self.count += 1
        self.last = Failure(part=part, code=code_of(error), message=message, at=self.clock())
