"""The contract of a storage: all suites that each storage adapter must pass."""

from tests.contracts.cursors import CursorsContract
from tests.contracts.epochs import EpochsContract
from tests.contracts.event_limit import EventLimitContract
from tests.contracts.event_log import EventLogContract
from tests.contracts.group_commit import GroupCommitContract
from tests.contracts.idempotency import IdempotencyContract
from tests.contracts.maintenance import MaintenanceLogContract
from tests.contracts.order_audit import OrderAuditContract
from tests.contracts.order_queries import OrderQueriesContract
from tests.contracts.order_repository import OrderRepositoryContract
from tests.contracts.payment_attempts import PaymentAttemptsContract
from tests.contracts.processes import ProcessRegistryContract
from tests.contracts.rollout import RolloutContract
from tests.contracts.sessions import SessionsContract
from tests.contracts.skipped_records import SkippedRecordsContract
from tests.contracts.tokens import TokensContract
from tests.contracts.unit_of_work import UnitOfWorkContract


class StorageContract(
    OrderRepositoryContract,
    UnitOfWorkContract,
    GroupCommitContract,
    IdempotencyContract,
    OrderQueriesContract,
    EventLogContract,
    EventLimitContract,
    EpochsContract,
    SkippedRecordsContract,
    OrderAuditContract,
    CursorsContract,
    PaymentAttemptsContract,
    TokensContract,
    SessionsContract,
    RolloutContract,
    ProcessRegistryContract,
    MaintenanceLogContract,
):
    """Subclassed with ``storage``, empty and open, and ``commits``, a list that grows when it tells of a commit.

    ``limited`` is a storage like it whose events have at most ``event_limit.LIMIT`` bytes.
    """
