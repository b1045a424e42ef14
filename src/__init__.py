"""Event-driven order flow for food delivery: the public names of the package.

What is heavy (``OrderFlow``, ``Settings``, ``load_settings``) is loaded when it is first asked for, so that whoever
needs a domain class alone pays for nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .application.event_log.records import Delivery
from .application.orders.queries import OrderPage, OrderQuery
from .domain.actor import Actor, Role
from .domain.errors import (
    CommandRefused,
    ConcurrentChange,
    Conflict,
    EventTooLarge,
    GuardFailed,
    IllegalTransition,
    InvalidInput,
    NotConfigured,
    NotFound,
    NotPermitted,
    OrderExists,
    OrderFlowError,
    OrderNotFound,
    StorageUnavailable,
    TransientFailure,
    Unavailable,
    VersionMismatch,
)
from .domain.events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from .domain.history import OrderFacts
from .domain.lifecycle import OrderState
from .domain.money import Money
from .domain.order import Address, Order
from .domain.payment import Payment, PaymentMethod, PaymentStatus

if TYPE_CHECKING:
    from .entrypoints.embedded import OrderFlow
    from .entrypoints.settings import Settings, load_settings

    __version__: str

__all__ = [
    "Actor",
    "Address",
    "CommandRefused",
    "ConcurrentChange",
    "Conflict",
    "Delivery",
    "EventTooLarge",
    "GuardFailed",
    "IllegalTransition",
    "InvalidInput",
    "Money",
    "NotConfigured",
    "NotFound",
    "NotPermitted",
    "Order",
    "OrderCancelled",
    "OrderCreated",
    "OrderDelivered",
    "OrderEvent",
    "OrderExists",
    "OrderFacts",
    "OrderFlow",
    "OrderFlowError",
    "OrderLine",
    "OrderNotFound",
    "OrderPage",
    "OrderQuery",
    "OrderState",
    "Payment",
    "PaymentMethod",
    "PaymentProcessed",
    "PaymentStatus",
    "Role",
    "Settings",
    "ShipperAssigned",
    "StateChanged",
    "StorageUnavailable",
    "TransientFailure",
    "Unavailable",
    "VersionMismatch",
    "__version__",
    "load_settings",
]

_LOADED_WHEN_ASKED = {
    "OrderFlow": ".entrypoints.embedded",
    "Settings": ".entrypoints.settings",
    "load_settings": ".entrypoints.settings",
}

if not TYPE_CHECKING:  # for a type checker the names above are all there are

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            found = version("orderflow-service")
        elif name in _LOADED_WHEN_ASKED:
            found = getattr(import_module(_LOADED_WHEN_ASKED[name], __name__), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
