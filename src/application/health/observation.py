"""One look at an installation: everything that can be seen now, and what gave no answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from ..recovery.epochs import Epochs
from ..rollout.rollout import RolloutState
from .facts import ConnectionFailure, DatabaseFacts, MailFacts, StreamFacts
from .lag import ReaderLag
from .processes import KnownProcess


@frozen(kw_only=True)
class ParkedOrder:
    """An order that waits behind an event which its consumer could not handle, and the class of that failure."""

    consumer: str
    order_id: str
    error: str
    at: datetime


@frozen(kw_only=True)
class Observation:
    """What was seen at ``at``. None stands for what could not be seen; ``unanswered`` says why, by what was asked.

    ``stream`` is None as well where no Kafka is configured, ``mail`` where no mail is sent or nobody asked. ``waiting``
    are the seconds since the oldest event happened that is still to come to a reader. ``latest`` are the orders that
    were parked, or failed again, last.
    """

    at: datetime
    database: DatabaseFacts | ConnectionFailure
    stream: StreamFacts | ConnectionFailure | None = None
    mail: MailFacts | ConnectionFailure | None = None
    processes: Sequence[KnownProcess] | None = None
    head: int | None = None
    readers: Sequence[ReaderLag] | None = None
    waiting: Mapping[str, float] | None = None
    parked: Mapping[str, int] | None = None
    latest: Sequence[ParkedOrder] | None = None
    rollout: RolloutState | None = None
    epochs: Epochs | None = None
    tokens: bool | None = None
    unanswered: Mapping[str, str] = field(factory=dict)

    @property
    def reached(self) -> bool:
        """Whether all servers answered, and all that was asked of them."""
        return not self.unanswered

    def living(self) -> Sequence[KnownProcess]:
        """The processes that were heard of lately."""
        return [each for each in self.processes or () if not each.gone]

    def runs(self, part: str) -> bool:
        """Whether a living process runs ``part``."""
        return any(each.process.runs(part) for each in self.living())
