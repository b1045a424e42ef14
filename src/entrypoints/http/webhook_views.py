"""The responses about webhook endpoints and their deliveries."""

from datetime import datetime

from attrs import frozen

from ...application.webhooks.delivery import WebhookDelivery
from ...application.webhooks.endpoint import Endpoint


@frozen(kw_only=True)
class EndpointView:
    """An endpoint. ``behind``: events for it wait in the log. It has no secret, which is shown once."""

    id: str
    url: str
    label: str
    types: tuple[str, ...]
    restaurants: tuple[str, ...]
    status: str
    reason: str
    created_at: datetime
    behind: bool
    failing: bool
    failing_since: datetime | None
    detail: str


@frozen(kw_only=True)
class EndpointsView:
    endpoints: tuple[EndpointView, ...]


@frozen(kw_only=True)
class SecretView:
    """An endpoint's new secret, which is shown this once, and when the one before it ends."""

    id: str
    secret: str
    old_secret_ends_at: datetime | None


@frozen(kw_only=True)
class DeliveryView:
    """The delivery of one event. ``code`` and ``detail`` are of the last attempt."""

    order_id: str
    sequence: int
    type: str
    event_id: str
    status: str
    attempts: int
    recorded_at: datetime
    due_at: datetime
    settled_at: datetime | None
    code: int | None
    detail: str


@frozen(kw_only=True)
class DeliveriesView:
    deliveries: tuple[DeliveryView, ...]


@frozen(kw_only=True)
class TestView:
    """The answer of a receiver to a test message."""

    __test__ = False
    accepted: bool
    code: int | None
    detail: str


def endpoint_view(endpoint: Endpoint) -> EndpointView:
    return EndpointView(
        id=endpoint.id,
        url=endpoint.url,
        label=endpoint.label,
        types=endpoint.types,
        restaurants=endpoint.restaurants,
        status=endpoint.status.value,
        reason=endpoint.reason,
        created_at=endpoint.created_at,
        behind=endpoint.behind is not None,
        failing=endpoint.failing,
        failing_since=endpoint.failing_since,
        detail=endpoint.detail,
    )


def delivery_view(delivery: WebhookDelivery) -> DeliveryView:
    return DeliveryView(
        order_id=delivery.order_id,
        sequence=delivery.sequence,
        type=delivery.type,
        event_id=delivery.event_id,
        status=delivery.status.value,
        attempts=delivery.attempts,
        recorded_at=delivery.recorded_at,
        due_at=delivery.due_at,
        settled_at=delivery.settled_at,
        code=delivery.code,
        detail=delivery.detail,
    )
