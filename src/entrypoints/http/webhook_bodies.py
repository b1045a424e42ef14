"""The bodies of requests that change webhook endpoints."""

from typing import Annotated

from msgspec import field

from ...application.webhooks.endpoint import MAX_LABEL, MAX_RESTAURANTS, MAX_URL
from ...domain.events import EVENT_TYPES
from ...domain.order import MAX_REASON
from .body_fields import Body, documented, id_field, text_field

_TYPES = sorted(event.type for event in EVENT_TYPES)
_Reason = Annotated[str, text_field("why, for the maintenance log", "asked for by the partner", MAX_REASON, 1)]
_From = documented("a position in all buckets, BUCKET:POSITION, or a time (RFC 3339)", "2024-05-17T12:00:00Z")
_Types = Annotated[list[str], documented("event types", ["order.delivered"], items={"enum": _TYPES})]
_Restaurants = Annotated[list[str], documented("ids of restaurants", ["R7"], maxItems=MAX_RESTAURANTS)]


class AddWebhookEndpoint(Body):
    """A new endpoint. It gets all types, of all restaurants, from now on, unless it is said otherwise."""

    url: Annotated[
        str, documented("https, without user and fragment", "https://hooks.example.com/orders", maxLength=MAX_URL)
    ]
    types: _Types = field(default_factory=list)
    restaurants: _Restaurants = field(default_factory=list)
    label: Annotated[str, text_field("a name for people", "partner", MAX_LABEL)] = ""
    from_: Annotated[str, _From] | None = None


class ChangeWebhookEndpoint(Body):
    """The reason of a change of the endpoint."""

    reason: _Reason


class RotateWebhookSecret(Body):
    """For how many hours the old secret stays valid."""

    reason: _Reason
    hours: Annotated[int, documented("0 to 8760", 24, minimum=0, maximum=8760)] = 24


class ReplayWebhooks(Body):
    """From where on all events are sent again."""

    reason: _Reason
    from_: Annotated[str, _From]


class ResendWebhooks(Body):
    """The order whose events, or whose event number ``sequence``, are sent again."""

    reason: _Reason
    order_id: Annotated[str, id_field("the order", "O-2024-1")]
    sequence: Annotated[int, documented("the number of one event", 1, minimum=1)] | None = None


WEBHOOK_BODIES = (AddWebhookEndpoint, ChangeWebhookEndpoint, RotateWebhookSecret, ReplayWebhooks, ResendWebhooks)
