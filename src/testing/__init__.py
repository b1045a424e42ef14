"""Tests for adapters of your own, and fixtures for applications: the contracts that orderflow's adapters pass.

A contract is a class of tests: subclass it where pytest finds it, and give it the fixtures that its docstring names.
It needs ``pytest`` and ``pytest-asyncio``. No part of orderflow that runs in production imports this package.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .clock import ManualClock
    from .crashes import PaymentGatewayCrashContract, StorageCrashContract
    from .event_publisher import EventPublisherContract
    from .notification_channel import NotificationChannelContract
    from .order_repository import OrderRepositoryContract
    from .payment_gateway import PaymentGatewayContract
    from .storage import StorageContract

__all__ = [
    "EventPublisherContract",
    "ManualClock",
    "NotificationChannelContract",
    "OrderRepositoryContract",
    "PaymentGatewayContract",
    "PaymentGatewayCrashContract",
    "StorageContract",
    "StorageCrashContract",
]

_MODULES = {
    "EventPublisherContract": "event_publisher",
    "ManualClock": "clock",
    "NotificationChannelContract": "notification_channel",
    "OrderRepositoryContract": "order_repository",
    "PaymentGatewayContract": "payment_gateway",
    "PaymentGatewayCrashContract": "crashes",
    "StorageContract": "storage",
    "StorageCrashContract": "crashes",
}
pytest.register_assert_rewrite(*(module.name for module in iter_modules(__path__, f"{__name__}.")))

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
