"""The contract of the storages in this tree: what ``orderflow.testing`` ships, and what outsiders need not have."""

from orderflow.testing import storage


class StorageContract(storage.StorageContract):
    """Subclassed as the shipped suite is."""
