"""The suites of what the shipped consumers store: the container's ``effects``, next to the storage of the orders.

A suite is a class of tests that is subclassed with a fixture ``world``: a World of an empty storage, the effects on it
and a clock. Those of webhooks need the extra ``webhooks``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .analytics import AnalyticsContract
    from .analytics_rebuild import RebuildAnalyticsContract
    from .consumer_transaction import ConsumerTransactionContract
    from .customers import PersonalDataContract
    from .dead_letters import DeadLetterStoreContract
    from .handle_batch import HandleBatchContract
    from .inventory import InventoryContract, StockStoreContract
    from .notification_store import NotificationStoreContract
    from .notifications import NotificationsContract
    from .redrive import RedriveContract
    from .replay import ReplayContract
    from .retention import RetentionContract
    from .webhook_endpoints import WebhookEndpointsContract
    from .webhook_retries import WebhookRetriesContract
    from .webhooks import WebhooksContract
    from .world import World

__all__ = [
    "AnalyticsContract",
    "ConsumerTransactionContract",
    "DeadLetterStoreContract",
    "HandleBatchContract",
    "InventoryContract",
    "NotificationStoreContract",
    "NotificationsContract",
    "PersonalDataContract",
    "RebuildAnalyticsContract",
    "RedriveContract",
    "ReplayContract",
    "RetentionContract",
    "StockStoreContract",
    "WebhookEndpointsContract",
    "WebhookRetriesContract",
    "WebhooksContract",
    "World",
]

_MODULES = {
    "AnalyticsContract": "analytics",
    "ConsumerTransactionContract": "consumer_transaction",
    "DeadLetterStoreContract": "dead_letters",
    "HandleBatchContract": "handle_batch",
    "InventoryContract": "inventory",
    "NotificationStoreContract": "notification_store",
    "NotificationsContract": "notifications",
    "PersonalDataContract": "customers",
    "RebuildAnalyticsContract": "analytics_rebuild",
    "RedriveContract": "redrive",
    "ReplayContract": "replay",
    "RetentionContract": "retention",
    "StockStoreContract": "inventory",
    "WebhookEndpointsContract": "webhook_endpoints",
    "WebhookRetriesContract": "webhook_retries",
    "WebhooksContract": "webhooks",
    "World": "world",
}

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
