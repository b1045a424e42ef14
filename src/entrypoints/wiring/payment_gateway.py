"""The payment gateway that the settings name."""

from collections.abc import Callable, Mapping

from ...adapters.payment_gateway import SandboxGateway
from ...application.orders.ports import PaymentGateway
from ..settings import Settings
from .parts import PartKind, make_part

GATEWAYS: Mapping[str, Callable[[Settings], PaymentGateway]] = {"sandbox": lambda settings: SandboxGateway()}
"""What makes each gateway that orderflow ships, by the name in ``ORDERFLOW_PAYMENT_GATEWAY``."""
GATEWAY = PartKind(
    setting="ORDERFLOW_PAYMENT_GATEWAY",
    what="payment gateway",
    port=PaymentGateway,
    group="orderflow.gateways",
    shipped=tuple(GATEWAYS),
)


def gateway_name(settings: Settings) -> str:
    """Return the name of the gateway that is used: the one that is named, or by default the sandbox."""
    return settings.payment_gateway or "sandbox"


def payment_gateway(settings: Settings) -> PaymentGateway:
    """Return the gateway that the settings name. Raises InvalidInput for one that is unknown or cannot be made."""
    name = gateway_name(settings)
    if name in GATEWAYS:
        return GATEWAYS[name](settings)
    gateway: PaymentGateway = make_part(GATEWAY, name)
    return gateway
