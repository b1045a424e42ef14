"""Tests for adapters of your own, and fixtures for applications: the contracts that orderflow's adapters pass.

A contract is a class of tests: subclass it where pytest finds it, and give it the fixtures that its docstring names.
It needs ``pytest`` and ``pytest-asyncio``. No part of orderflow that runs in production imports this package.
"""

from importlib import import_module
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
_SUITES = (
    "crash_points crashes cursors epochs event_limit event_log event_publisher group_commit idempotency maintenance "
    "notification_channel order_audit order_queries order_repository order_search orders payment_attempts "
    "payment_gateway prices processes rollout sessions skipped_records storage stream_reader streams tokens "
    "unit_of_work"
)
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _SUITES.split()))

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
