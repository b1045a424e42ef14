"""Event-driven order flow for food delivery: the public names of the package.

Each name's module is imported when the name is first used, so that a command or an application imports only what it
needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .application.consuming.declaring import consumer
    from .application.event_log.records import Delivery
    from .application.notifications.notification import Contact, Message, MessageText, Receipt
    from .application.notifications.ports import MessageTemplates, Notifier
    from .application.orders.payment_attempts import AttemptKind, GatewayPayment, GatewayResponse
    from .application.orders.ports import EventPublisher, OrderRepository, PaymentGateway, UnitOfWork
    from .application.orders.queries import OrderPage, OrderQuery
    from .application.orders.write_set import WriteSet
    from .domain.actor import Actor, Role
    from .domain.errors import (
        ChannelUnavailable,
        CommandRefused,
        ConcurrentChange,
        Conflict,
        EventTooLarge,
        GatewayUnavailable,
        GuardFailed,
        IllegalTransition,
        InvalidInput,
        NotConfigured,
        NotFound,
        NotPermitted,
        OrderExists,
        OrderFlowError,
        OrderNotFound,
        PricesRefused,
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
    from .domain.order import Order
    from .domain.payment import Payment, PaymentMethod, PaymentStatus
    from .domain.prices import Price
    from .domain.validation import Address
    from .entrypoints.embedded import OrderFlow
    from .entrypoints.joining import JoinedOrders
    from .entrypoints.settings import Settings
    from .entrypoints.settings_source import load_settings
    from .entrypoints.sync import SyncJoinedOrders, SyncOrderFlow

    __version__: str

__all__ = [
    "Actor",
    "Address",
    "AttemptKind",
    "ChannelUnavailable",
    "CommandRefused",
    "ConcurrentChange",
    "Conflict",
    "Contact",
    "Delivery",
    "EventPublisher",
    "EventTooLarge",
    "GatewayPayment",
    "GatewayResponse",
    "GatewayUnavailable",
    "GuardFailed",
    "IllegalTransition",
    "InvalidInput",
    "Message",
    "MessageTemplates",
    "MessageText",
    "JoinedOrders",
    "Money",
    "NotConfigured",
    "NotFound",
    "NotPermitted",
    "Notifier",
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
    "OrderRepository",
    "OrderState",
    "Payment",
    "PaymentGateway",
    "PaymentMethod",
    "PaymentProcessed",
    "PaymentStatus",
    "Price",
    "PricesRefused",
    "Receipt",
    "Role",
    "Settings",
    "ShipperAssigned",
    "StateChanged",
    "StorageUnavailable",
    "SyncJoinedOrders",
    "SyncOrderFlow",
    "TransientFailure",
    "Unavailable",
    "UnitOfWork",
    "VersionMismatch",
    "WriteSet",
    "__version__",
    "consumer",
    "load_settings",
]

_MODULES = {
    ".application.consuming.declaring": ("consumer",),
    ".application.event_log.records": ("Delivery",),
    ".application.notifications.notification": ("Contact", "Message", "MessageText", "Receipt"),
    ".application.notifications.ports": ("MessageTemplates", "Notifier"),
    ".application.orders.payment_attempts": ("AttemptKind", "GatewayPayment", "GatewayResponse"),
    ".application.orders.ports": ("EventPublisher", "OrderRepository", "PaymentGateway", "UnitOfWork"),
    ".application.orders.write_set": ("WriteSet",),
    ".application.orders.queries": ("OrderPage", "OrderQuery"),
    ".domain.actor": ("Actor", "Role"),
    ".domain.errors": (
        "ChannelUnavailable",
        "GatewayUnavailable",
        "CommandRefused",
        "ConcurrentChange",
        "Conflict",
        "EventTooLarge",
        "GuardFailed",
        "IllegalTransition",
        "InvalidInput",
        "NotConfigured",
        "NotFound",
        "NotPermitted",
        "OrderExists",
        "OrderFlowError",
        "OrderNotFound",
        "PricesRefused",
        "StorageUnavailable",
        "TransientFailure",
        "Unavailable",
        "VersionMismatch",
    ),
    ".domain.events": (
        "OrderCancelled",
        "OrderCreated",
        "OrderDelivered",
        "OrderEvent",
        "OrderLine",
        "PaymentProcessed",
        "ShipperAssigned",
        "StateChanged",
    ),
    ".domain.history": ("OrderFacts",),
    ".domain.lifecycle": ("OrderState",),
    ".domain.money": ("Money",),
    ".domain.order": ("Order",),
    ".domain.payment": ("Payment", "PaymentMethod", "PaymentStatus"),
    ".domain.prices": ("Price",),
    ".domain.validation": ("Address",),
    ".entrypoints.embedded": ("OrderFlow",),
    ".entrypoints.joining": ("JoinedOrders",),
    ".entrypoints.settings": ("Settings",),
    ".entrypoints.settings_source": ("load_settings",),
    ".entrypoints.sync": ("SyncJoinedOrders", "SyncOrderFlow"),
}
"""The public names by the module that defines them."""

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            value = version("orderflow-service")
        else:
            module = next((module for module, names in _MODULES.items() if name in names), None)
            if module is None:
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
            value = getattr(import_module(module, __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
