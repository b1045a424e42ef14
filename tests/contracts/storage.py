"""The contract of the storages in this tree: what ``orderflow.testing`` ships, and what outsiders need not have."""

from orderflow.testing import storage

from tests.contracts.order_search import OrderSearchContract
from tests.contracts.prices import PriceListsContract
from tests.contracts.sessions import SessionsContract
from tests.contracts.streams import StreamsContract


class StorageContract(
    storage.StorageContract, OrderSearchContract, PriceListsContract, SessionsContract, StreamsContract
):
    """Subclassed as the shipped suite is. Telephone numbers without a code are German in it."""
