"""Every port in memory, for tests, trials and embedding. It passes the same contract tests as the other adapters."""

from .consumer_store import MemoryConsumerStores
from .notifier import MemoryNotifier
from .storage import MemoryStorage
from .topic import MemoryTopic

__all__ = ["MemoryNotifier", "MemoryConsumerStores", "MemoryStorage", "MemoryTopic"]
