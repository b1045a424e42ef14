"""The body of a webhook: an event, exactly as on the topic, with its address."""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import decode, encode

from ...application.webhooks.delivery import WebhookDelivery


class WebhookBody(Struct, kw_only=True):
    """The payload that Standard Webhooks recommends, with the event's address and its number within the order.

    ``data`` is the event's envelope, byte for byte; ``timestamp`` its ``occurredAt``.
    """

    type: str
    timestamp: Any
    sequence: int
    bucket: int
    position: int
    data: Raw


class _Occurred(Struct, rename="camel"):
    occurred_at: Raw


def webhook_body(delivery: WebhookDelivery, event: bytes) -> bytes:
    """Return the body for ``event``, which is the same at each attempt."""
    return encode(
        WebhookBody(
            type=delivery.type,
            timestamp=decode(event, type=_Occurred).occurred_at,
            sequence=delivery.sequence,
            bucket=delivery.bucket,
            position=delivery.position,
            data=Raw(event),
        )
    )
