"""The note that an operator leaves with a manual action: the name, the reason, and the time."""

from datetime import datetime

from attrs import frozen

from ..domain.errors import InvalidInput
from ..domain.text import shown

MAX_REASON_LENGTH = 500
"""The maximum number of characters of a name or a reason."""


@frozen(kw_only=True)
class OperatorNote:
    """The name of an operator, a reason, and a time. Raises InvalidInput for a blank name or reason."""

    by: str
    reason: str
    at: datetime

    def __attrs_post_init__(self) -> None:
        for name, value in (("by", self.by), ("reason", self.reason)):
            if not isinstance(value, str):
                raise InvalidInput(name, f"it is a {type(value).__name__}", "text")
            if not value.strip() or len(value) > MAX_REASON_LENGTH or not value.isprintable():
                raise InvalidInput(
                    name,
                    f"it has {len(value)} characters" if len(value) > MAX_REASON_LENGTH else f"it is {shown(value)}",
                    f"1 to {MAX_REASON_LENGTH} printable characters that are not all spaces",
                )
