"""The state of all webhook endpoints, for operators."""

from attrs import field, frozen

from ..backlog import Backlog


@frozen(kw_only=True)
class WebhookSummary:
    """The numbers of undelivered messages at enabled endpoints, and of endpoints by their state.

    ``failing`` accept nothing now, ``behind`` have events that wait in the log. Disabled ones are counted by who
    disabled them: an operator, or orderflow itself (``stopped``).
    """

    backlog: Backlog = field(factory=Backlog)
    enabled: int = 0
    failing: int = 0
    behind: int = 0
    disabled: int = 0
    stopped: int = 0
