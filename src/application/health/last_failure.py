"""What went wrong last in this process, for those who look at it from outside."""

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
_OF_THE_INSTALLATION = (
    LogBehindTopic,
    LogGap,
    NotConfigured,
    StaleCursor,
    StorageUnavailable,
    StreamUnavailable,
    TopicMismatch,
)
"""Errors that tell of servers and positions alone. Any other's message might name a person."""


@define(eq=False)
class Failures:
    """``count`` goes up by one for each; ``last`` is the latest."""

    clock: Clock
    count: int = field(default=0, init=False)
    last: Failure | None = field(default=None, init=False)

    def note(self, part: str, error: BaseException) -> None:
        """``error`` happened in ``part``: its code, and its message where that can be nobody's data."""
        message = error_text(error)[:MAX_MESSAGE] if isinstance(error, _OF_THE_INSTALLATION) else ""
        self.count += 1
        self.last = Failure(part=part, code=code_of(error), message=message, at=self.clock())
