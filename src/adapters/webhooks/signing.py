"""Signatures by Standard Webhooks."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

from ...application.webhooks.delivery import WebhookMessage

PREFIX = "whsec_"
"""The prefix of a secret in Standard Webhooks."""
SECRET_BYTES = 32


def new_secret() -> str:
    """Create a secret of 256 random bits."""
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(message: WebhookMessage, keys: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the headers of ``message``, sent at ``at`` (in UTC), with a signature by each of ``keys``."""
    body = message.body.decode()
    signatures = [Webhook(key).sign(message.id, at, body) for key in keys]
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
