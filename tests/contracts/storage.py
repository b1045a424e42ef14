"""The contract of the storages in this tree: what ``orderflow.testing`` ships, and what outsiders need not have."""

from orderflow.testing import storage

from tests.contracts.prices import PriceListsContract
from tests.contracts.sessions import SessionsContract


class StorageContract(storage.StorageContract, PriceListsContract, SessionsContract):
    """Subclassed as the shipped suite is."""
