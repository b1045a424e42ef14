"""An observation of an installation: its facts at one time, and what could not be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from ..backlog import Backlog
from ..orders.payment_attempts import OutstandingPayments
from ..recovery.epochs import Epochs
from ..rollout.rollout import RolloutState
from ..webhooks.ports import WebhookSummary
from .facts import CertificateFacts, ConnectionFailure, DatabaseFacts, StreamFacts
from .lag import ReaderLag
from .processes import KnownProcess


@frozen(kw_only=True)
class ParkedOrder:
    """A parked order, and the class of the error that parked it."""

    consumer: str
    order_id: str
    error: str
    at: datetime


@frozen(kw_only=True)
class Observation:
    """The facts at the time ``at``. A field is None if it could not be read; ``unanswered`` has the reason by name.

    ``stream`` is also None if no Kafka is configured, and the API's ``certificate`` without TLS or if it was not
    requested. ``mail`` and ``identity`` are the failures of the mail server and the OpenID provider, None without one.
    ``waiting`` is the age in seconds of the oldest event that each reader has yet to handle. ``latest`` are the orders
    that were parked, or failed again, last. ``tokens``: there has been a token; ``customer_tokens``: a customer has a
    valid one; ``prices``: a restaurant has a price.
    """

    at: datetime
    database: DatabaseFacts | ConnectionFailure
    stream: StreamFacts | ConnectionFailure | None = None
    mail: ConnectionFailure | None = None
    certificate: CertificateFacts | ConnectionFailure | None = None
    identity: ConnectionFailure | None = None
    processes: Sequence[KnownProcess] | None = None
    head: int | None = None
    readers: Sequence[ReaderLag] | None = None
    waiting: Mapping[str, float] | None = None
    parked: Mapping[str, int] | None = None
    latest: Sequence[ParkedOrder] | None = None
    rollout: RolloutState | None = None
    epochs: Epochs | None = None
    tokens: bool | None = None
    customer_tokens: bool | None = None
    prices: bool | None = None
    payments: OutstandingPayments | None = None
    notifications: Backlog | None = None
    webhooks: WebhookSummary | None = None
    unanswered: Mapping[str, str] = field(factory=dict)

    def living(self) -> Sequence[KnownProcess]:
        """Return the processes with a recent heartbeat."""
        return [each for each in self.processes or () if not each.gone]

    def runs(self, part: str) -> bool:
        """Return whether a process with a recent heartbeat runs ``part``."""
        return any(each.process.runs(part) for each in self.living())
