"""Events that Stripe sends: the order and request of each. They are verified, and never believed beyond that."""

import json
from typing import Any

from attrs import field, frozen
from stripe import SignatureVerificationError, WebhookSignature

from ...application.orders.payment_attempts import GatewayEvent
from ...domain.errors import InvalidInput
from ...domain.text import is_identifier

TOLERANCE_SECONDS = 300
"""The age at which a signature is refused, so that a recorded event cannot be sent again later."""
ORDER = "orderflow_order"
"""The name in the metadata of PaymentIntents and refunds under which the order's id is."""
KEY = "orderflow_key"
"""The name under which the idempotency key of the request is."""


@frozen
class StripeWebhook:
    """Verifies events with one of ``secrets``: while a secret is rotated, there are two."""

    secrets: tuple[str, ...] = field(repr=False)

    def __call__(self, body: bytes, signature: str) -> GatewayEvent | None:
        """Return what an event is about; None if it is about no order of this service.

        Raises InvalidInput if the event is not signed by Stripe, or too long ago, or is no JSON object.
        """
        try:
            text = body.decode()
            if not signature.isascii() or not any(self._is_signed(text, signature, secret) for secret in self.secrets):
                raise InvalidInput("Stripe-Signature", "it does not fit the body, or is too old", "Stripe's signature")
            event = json.loads(text)
        except (ValueError, RecursionError) as e:  # also what is no UTF-8
            raise InvalidInput("", "it is no JSON", "an event of Stripe") from e
        found: Any = event
        for name in ("data", "object", "metadata"):
            found = found.get(name) if isinstance(found, dict) else None
        order_id, key = (found.get(ORDER), found.get(KEY)) if isinstance(found, dict) else (None, None)
        if not is_identifier(order_id):
            return None
        return GatewayEvent(order_id, key if isinstance(key, str) else "")

    def _is_signed(self, text: str, signature: str, secret: str) -> bool:
        try:
            WebhookSignature.verify_header(text, signature, secret, TOLERANCE_SECONDS)
        except SignatureVerificationError:
            return False
        return True
