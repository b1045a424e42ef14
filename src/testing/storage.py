"""The contract of a storage: all suites that each storage adapter must pass."""

from collections.abc import Sequence
from typing import Any

import pytest

from ..adapters import wire
from ..application.orders.unit_of_work import WriteSetUnitOfWork
from ..domain.events import OrderEvent
from .cursors import CursorsContract
from .epochs import EpochsContract
from .event_limit import EventLimitContract
from .event_log import EventLogContract
from .event_publisher import EventPublisherContract, Published
from .group_commit import GroupCommitContract
from .idempotency import IdempotencyContract
from .maintenance import MaintenanceLogContract
from .order_audit import OrderAuditContract
from .order_queries import OrderQueriesContract
from .order_repository import OrderRepositoryContract
from .order_search import OrderSearchContract
from .orders import unit_of_work
from .payment_attempts import PaymentAttemptsContract
from .prices import PriceListsContract
from .processes import ProcessRegistryContract
from .rollout import RolloutContract
from .sessions import SessionsContract
from .skipped_records import SkippedRecordsContract
from .streams import StreamsContract
from .tokens import TokensContract
from .unit_of_work import UnitOfWorkContract


@pytest.mark.asyncio
class StorageContract(
    OrderRepositoryContract,
    EventPublisherContract,
    UnitOfWorkContract,
    GroupCommitContract,
    IdempotencyContract,
    OrderQueriesContract,
    OrderSearchContract,
    EventLogContract,
    EventLimitContract,
    EpochsContract,
    SkippedRecordsContract,
    OrderAuditContract,
    CursorsContract,
    PaymentAttemptsContract,
    PriceListsContract,
    TokensContract,
    SessionsContract,
    StreamsContract,
    RolloutContract,
    ProcessRegistryContract,
    MaintenanceLogContract,
):
    """Subclassed with ``storage``, empty and open, and ``commits``, a list that grows with each commit notification.

    ``limited`` is a storage like it whose events have at most ``event_limit.LIMIT`` bytes. ``waits`` is False if its
    calls never wait for anything. Telephone numbers without a country code are German in both.
    """

    @pytest.fixture
    def unit_of_work(self, storage: Any) -> WriteSetUnitOfWork:
        """Return the unit of work of the use-cases, on the storage."""
        return unit_of_work(storage)

    @pytest.fixture
    def published(self, storage: Any) -> Published:
        """Return what reads the events of the log: what a relay publishes."""

        async def published() -> Sequence[OrderEvent]:
            heads = await storage.log.heads()
            records = await storage.log.read(dict.fromkeys(heads, 0), limit=10_000)
            return [wire.decode_record(record) for record in sorted(records)]

        return published
