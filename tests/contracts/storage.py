"""The contract of the storages in this tree: what ``orderflow.testing`` ships, and what outsiders need not have."""

from orderflow.testing import storage

from tests.contracts.prices import PriceListsContract


class StorageContract(storage.StorageContract, PriceListsContract):
    """Subclassed as the shipped suite is."""
