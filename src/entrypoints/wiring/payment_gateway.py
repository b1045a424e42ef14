"""The payment gateway that the settings name."""

from collections.abc import Callable, Mapping

from ...adapters.payment_gateway import SandboxGateway
from ...application.orders.ports import PaymentGateway
from ...domain.errors import InvalidInput
from ...domain.text import shown
from ..settings import Settings

GATEWAYS: Mapping[str, Callable[[Settings], PaymentGateway]] = {"sandbox": lambda settings: SandboxGateway()}
"""What makes each gateway that orderflow ships, by the name in ``ORDERFLOW_PAYMENT_GATEWAY``."""


def gateway_name(settings: Settings) -> str:
    """Return the name of the gateway that is used: the one that is named, or by default the sandbox."""
    return settings.payment_gateway or "sandbox"


def payment_gateway(settings: Settings) -> PaymentGateway:
    """Return the gateway that the settings name. Raises InvalidInput for an unknown name."""
    name = gateway_name(settings)
    if name not in GATEWAYS:
        raise InvalidInput("ORDERFLOW_PAYMENT_GATEWAY", f"{shown(name)} is no payment gateway", ", ".join(GATEWAYS))
    return GATEWAYS[name](settings)
