"""Webhook deliveries: one event for one endpoint, until its receiver has accepted it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from attrs import evolve, field, frozen

from ..event_log.records import Address, LogRecord
from .endpoint import Endpoint

RETRIED_FOR = timedelta(hours=72)
"""The time from its first failed attempt after which a delivery has failed for good."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
"""The pauses between two attempts of one delivery; they double from the first to the longest."""
MAX_DETAIL = 300
"""Characters of what a receiver answered that are stored."""
GONE = 410
"""The status with which a receiver says that it wants nothing more."""


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    WAITING = "waiting"
    """An earlier event of its order is pending at the same endpoint."""
    DELIVERED = "delivered"
    FAILED = "failed"


UNSETTLED = (DeliveryStatus.PENDING, DeliveryStatus.WAITING)


class DeliveryKey(NamedTuple):
    """The key of a delivery; no two have the same."""

    order_id: str
    endpoint_id: str
    sequence: int


@frozen(kw_only=True)
class WebhookDelivery:
    """The delivery of the event number ``sequence`` of an order to an endpoint.

    It has no body: the log has it at ``bucket`` and ``position``. ``due_at`` is when the next attempt may begin.
    ``failing_since`` is the time of the first failed attempt, ``code`` the HTTP status of the last answer.
    """

    order_id: str
    endpoint_id: str
    sequence: int
    bucket: int
    position: int
    type: str
    event_id: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    recorded_at: datetime
    due_at: datetime
    failing_since: datetime | None = None
    settled_at: datetime | None = None
    code: int | None = None
    detail: str = ""

    @property
    def key(self) -> DeliveryKey:
        return DeliveryKey(self.order_id, self.endpoint_id, self.sequence)

    @property
    def address(self) -> Address:
        return self.bucket, self.position

    @property
    def unsettled(self) -> bool:
        return self.status in UNSETTLED

    def delivered(self, now: datetime, code: int | None) -> "WebhookDelivery":
        return evolve(
            self,
            status=DeliveryStatus.DELIVERED,
            attempts=self.attempts + 1,
            failing_since=None,
            settled_at=now,
            code=code,
            detail="",
        )

    def failed(self, now: datetime, response: "WebhookResponse", *, pause: timedelta) -> "WebhookDelivery":
        """Return it after a failed attempt, due again after ``pause``."""
        return evolve(
            self,
            attempts=self.attempts + 1,
            due_at=now + pause,
            failing_since=min(self.failing_since or now, now),
            code=response.code,
            detail=response.detail,
        )

    def given_up(self, now: datetime) -> "WebhookDelivery":
        """Return it as failed for good."""
        return evolve(self, status=DeliveryStatus.FAILED, settled_at=now)

    def again(self, now: datetime) -> "WebhookDelivery":
        """Return it as it was before its first attempt."""
        return evolve(
            self,
            status=DeliveryStatus.PENDING,
            attempts=0,
            due_at=now,
            failing_since=None,
            settled_at=None,
            code=None,
            detail="",
        )


@frozen(kw_only=True)
class WebhookMessage:
    """A message to an endpoint. ``id`` is the event's, the same at each attempt and for each endpoint."""

    id: str
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class WebhookResponse:
    """The answer of a receiver: its HTTP status, None without an answer; ``detail`` says what was wrong.

    ``retry_after`` is how long it asks to be left alone.
    """

    code: int | None = None
    detail: str = ""
    retry_after: timedelta | None = None

    @property
    def accepted(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    @property
    def least_pause(self) -> timedelta:
        """The shortest pause that respects ``retry_after``, within LONGEST_PAUSE."""
        return min(LONGEST_PAUSE, max(timedelta(), self.retry_after or timedelta()))


def deliveries_of(
    endpoint: Endpoint, records: Sequence[LogRecord], restaurants: Mapping[str, str], now: datetime
) -> list[WebhookDelivery]:
    """Return the deliveries of those of ``records`` that ``endpoint`` wants; ``restaurants`` are those of orders."""
    return [
        WebhookDelivery(
            order_id=it.order_id,
            endpoint_id=endpoint.id,
            sequence=it.sequence,
            bucket=it.bucket,
            position=it.position,
            type=it.type,
            event_id=it.event_id,
            recorded_at=now,
            due_at=now,
        )
        for it in records
        if endpoint.wants(it.type, restaurants.get(it.order_id))
    ]


def queued(deliveries: Sequence[WebhookDelivery], held: Collection[tuple[str, str]]) -> Sequence[WebhookDelivery]:
    """Return new deliveries, of which the first of each order at an endpoint is pending and the others wait.

    All wait for an order and an endpoint in ``held``: an earlier event is not settled there.
    """
    seen, found = set(held), []
    for it in sorted(deliveries, key=lambda it: it.key):
        queue = it.order_id, it.endpoint_id
        found.append(evolve(it, status=DeliveryStatus.WAITING if queue in seen else DeliveryStatus.PENDING))
        seen.add(queue)
    return found
