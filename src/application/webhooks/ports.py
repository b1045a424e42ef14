"""The ports of webhooks: storing endpoints and deliveries, sending them, and signing what is sent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from ..backlog import Backlog
from ..consuming.consumer import ConsumerTransaction
from ..event_log.records import Positions
from .delivery import DeliveryKey, DeliveryStatus, WebhookDelivery, WebhookMessage, WebhookResponse
from .endpoint import Endpoint


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


class Endpoints(Protocol):
    """Reads endpoints, and the restaurants by which they choose events."""

    async def endpoints(self) -> Sequence[Endpoint]:
        """Return all endpoints, by id."""
        ...

    async def get(self, endpoint_id: str) -> Endpoint:
        """Return one endpoint as it is stored now. Raises NotFound."""
        ...

    async def restaurants(self, order_ids: Collection[str]) -> Mapping[str, str]:
        """Return the restaurants of these orders, by order, as far as the orders exist."""
        ...


class WebhookStore(Endpoints, Protocol):
    """Endpoints and new deliveries, in the consumer's transaction. Cursors are held before it is used."""

    async def add(self, endpoint: Endpoint, secret: str) -> None: ...

    async def change(self, endpoint: Endpoint) -> None:
        """Store everything of ``endpoint`` but its id, URL, filters, label and beginning."""
        ...

    async def remove(self, endpoint_id: str) -> None:
        """Delete it, with its secrets and those of its deliveries that are not settled."""
        ...

    async def record(self, deliveries: Sequence[WebhookDelivery], *, again: bool = False) -> None:
        """Store deliveries. One that is stored already stays as it is, or with ``again`` is replaced.

        The first of each order at an endpoint is pending unless an earlier one is not settled; the others wait.
        """
        ...

    async def restart(self, endpoint_id: str, now: datetime) -> None:
        """Make its unsettled deliveries new: as if they had never been tried."""
        ...

    async def forget(self, endpoint_id: str, *, after: Positions) -> None:
        """Delete its unsettled deliveries of events after these positions: they are recorded again."""
        ...


class WebhookTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *webhooks*."""

    @property
    def webhooks(self) -> WebhookStore: ...


class Webhooks(Endpoints, Protocol):
    """Reads endpoints and deliveries, and stores the results of sending them."""

    async def own(self, owner: str, *, now: datetime, until: datetime) -> Sequence[Endpoint]:
        """Return the enabled endpoints that ``owner`` owns until ``until`` at most, and half of that time at least.

        No other owner gets them before that. Those without an owner are included.
        """
        ...

    async def disown(self, owner: str) -> None:
        """Leave all endpoints of ``owner`` to others."""
        ...

    async def secrets(self, endpoint_ids: Collection[str], now: datetime) -> Mapping[str, Sequence[str]]:
        """Return the valid secrets of these endpoints, the newest first."""
        ...

    async def rotate(self, endpoint_id: str, secret: str, *, now: datetime, until: datetime) -> None:
        """Add a secret. The newest before it is valid until ``until``, older ones no more. Raises NotFound."""
        ...

    async def due(self, wanted: Mapping[str, int], now: datetime) -> Sequence[WebhookDelivery]:
        """Return pending deliveries that are due, at most so many of each endpoint, the earliest first."""
        ...

    async def settle(self, deliveries: Sequence[WebhookDelivery], endpoints: Sequence[Endpoint], now: datetime) -> None:
        """Store the results of attempts, and how their endpoints are doing.

        A delivery that is no longer pending stays as it is. When one is settled, the next of its order that waits at
        the endpoint becomes pending.
        """
        ...

    async def resend(self, deliveries: Sequence[WebhookDelivery]) -> None:
        """Store these as an operator changed them; of each order at an endpoint the first unsettled one is pending."""
        ...

    async def find(self, keys: Collection[DeliveryKey]) -> Sequence[WebhookDelivery]: ...

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[WebhookDelivery]:
        """Return the deliveries of these orders that are kept, by order, endpoint and sequence."""
        ...

    async def unsettled(self, endpoint_id: str, *, at_most: int) -> int:
        """Return how many of its deliveries are not settled; of more than ``at_most`` no more are counted."""
        ...

    async def list(
        self,
        endpoint_id: str,
        *,
        status: DeliveryStatus | None = None,
        order_id: str | None = None,
        limit: int,
    ) -> Sequence[WebhookDelivery]:
        """Return deliveries of one endpoint: the latest first, but pending ones by due time."""
        ...

    async def summary(self) -> WebhookSummary:
        """Return the state of all endpoints. The cost grows with what is not settled, not with what was sent."""
        ...

    async def delete_before(self, moment: datetime) -> int:
        """Delete deliveries that were settled before ``moment``, at most DELETED_AT_ONCE; return how many."""
        ...


DELETED_AT_ONCE = 1_000


class WebhookClient(Protocol):
    """Sends messages to endpoints."""

    async def post(self, endpoint: Endpoint, message: WebhookMessage, secrets: Sequence[str]) -> WebhookResponse:
        """Send ``message`` once, signed with each of ``secrets``, and return the answer, or why there is none.

        It is bounded in time and memory, whatever the receiver does. Raises NotConfigured.
        """
        ...

    async def forget(self, endpoint_ids: Collection[str]) -> None:
        """Close the connections to all endpoints but these."""
        ...

    async def close(self) -> None: ...


class Body(Protocol):
    """Makes the body of a message."""

    def __call__(self, delivery: WebhookDelivery, event: bytes) -> bytes:
        """Return the body for ``event``, the exact bytes of the log."""
        ...
