"""The responses about webhook endpoints and their deliveries."""

from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

from ...application.webhooks.delivery import WebhookDelivery
from ...application.webhooks.endpoint import Endpoint
from .views import view_of


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
    return view_of(EndpointView, endpoint, behind=endpoint.behind is not None)


def deliveries_view(deliveries: Iterable[WebhookDelivery]) -> DeliveriesView:
    return DeliveriesView(deliveries=tuple(view_of(DeliveryView, each) for each in deliveries))
