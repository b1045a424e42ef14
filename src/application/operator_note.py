"""Notes of operators: who changes something, why and when."""

from datetime import datetime

from attrs import frozen

from ..domain.errors import InvalidInput

MAX_REASON_LENGTH = 500
"""Characters that a name or a reason may have."""


@frozen(kw_only=True)
class OperatorNote:
    """Who changes something, why, and when. Raises InvalidInput for a name or a reason that says nothing."""

    by: str
    reason: str
    at: datetime

    def __attrs_post_init__(self) -> None:
        for name, said in (("by", self.by), ("reason", self.reason)):
            if not said.strip() or len(said) > MAX_REASON_LENGTH or not said.isprintable():
                raise InvalidInput(
                    name,
                    f"it is {said[:40]!r}",
                    f"1 to {MAX_REASON_LENGTH} printable characters that are not all spaces",
                )
