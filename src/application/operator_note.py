"""Notes of operators: who changes something, why and when."""

from datetime import datetime

from attrs import frozen

from ..domain.errors import InvalidInput

MAX_REASON_LENGTH = 500
"""The maximum number of characters of a name or a reason."""


@frozen(kw_only=True)
class OperatorNote:
    """Who changes something, why, and when. Raises InvalidInput for an empty name or reason."""

    by: str
    reason: str
    at: datetime

    def __attrs_post_init__(self) -> None:
        for name, text in (("by", self.by), ("reason", self.reason)):
            if not text.strip() or len(text) > MAX_REASON_LENGTH or not text.isprintable():
                raise InvalidInput(
                    name,
                    f"it is {text[:40]!r}",
                    f"1 to {MAX_REASON_LENGTH} printable characters that are not all spaces",
                )
