"""TODO."""

from datetime import datetime

from attrs import frozen

from ..domain.errors import InvalidInput

MAX_WORDS = 500
"""Characters that a name or a reason may have."""


@frozen(kw_only=True)
class Word:
    """Who changes something, why, and when. Raises InvalidInput for a name or a reason that says nothing."""

    by: str
    why: str
    at: datetime

    def __attrs_post_init__(self) -> None:
        for name, said in (("by", self.by), ("why", self.why)):
            if not said.strip() or len(said) > MAX_WORDS or not said.isprintable():
                raise InvalidInput(
                    name, f"it is {said[:40]!r}", f"1 to {MAX_WORDS} printable characters that are not all spaces"
                )
