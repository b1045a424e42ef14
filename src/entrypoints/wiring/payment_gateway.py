"""The payment gateway that the settings name."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...adapters.payment_gateway import NoGateway, SandboxGateway
from ...application.orders.ports import PaymentGateway
from ...domain.errors import NotConfigured
from ..settings import Settings
from .parts import PartKind, make_part

if TYPE_CHECKING:
    from ...adapters.payment_gateway.stripe import StripeGateway
    from ...adapters.payment_gateway.stripe_webhook import StripeWebhook

USE_STRIPE = "set ORDERFLOW_PAYMENT_GATEWAY=stripe, or remove ORDERFLOW_STRIPE_WEBHOOK_SECRET"


def _stripe(settings: Settings) -> "StripeGateway":
    """Return Stripe. Raises NotConfigured without a key, or without the extra ``stripe``."""
    if not settings.stripe_api_key:
        raise NotConfigured("Stripe needs a key", "set ORDERFLOW_STRIPE_API_KEY to a secret or restricted key")
    try:
        from ...adapters.payment_gateway.stripe import StripeGateway
    except ModuleNotFoundError as e:
        if e.name is None or e.name.partition(".")[0] not in ("stripe", "httpx", "anyio"):
            raise
        raise NotConfigured(f"Stripe needs {e.name}", "pip install 'orderflow-service[stripe]'") from e
    logging.getLogger("stripe").setLevel(logging.WARNING)  # its messages for debugging have card tokens
    return StripeGateway.at(settings.stripe_api_key, url=settings.stripe_api_url)


GATEWAYS: Mapping[str, Callable[[Settings], PaymentGateway]] = {
    "sandbox": lambda settings: SandboxGateway(),
    "none": lambda settings: NoGateway(),
    "stripe": _stripe,
}
"""The factory of each gateway that orderflow ships, by the name in ``ORDERFLOW_PAYMENT_GATEWAY``."""
GATEWAY = PartKind(
    setting="ORDERFLOW_PAYMENT_GATEWAY",
    what="payment gateway",
    port=PaymentGateway,
    group="orderflow.gateways",
    shipped=tuple(GATEWAYS),
)


def payment_gateway(settings: Settings) -> PaymentGateway:
    """Return the gateway that the settings name. Raises InvalidInput for one that is unknown or cannot be made."""
    name = settings.gateway_name
    if name in GATEWAYS:
        return GATEWAYS[name](settings)
    gateway: PaymentGateway = make_part(GATEWAY, name)
    return gateway


def stripe_events(settings: Settings) -> "StripeWebhook | None":
    """Return what verifies Stripe's events; None without a secret. Raises NotConfigured without the extra."""
    secrets = tuple(filter(None, settings.stripe_webhook_secret.split(",")))
    if not secrets:
        return None
    if settings.gateway_name != "stripe":
        raise NotConfigured("a secret for Stripe's events is set, and Stripe is not the gateway", USE_STRIPE)
    try:
        from ...adapters.payment_gateway.stripe_webhook import StripeWebhook
    except ModuleNotFoundError as e:
        raise NotConfigured(f"Stripe needs {e.name}", "pip install 'orderflow-service[stripe]'") from e
    return StripeWebhook(secrets)
