"""Joins transactions of the application, as the settings allow it."""

from typing import TYPE_CHECKING, Any

from attrs import evolve

from ...adapters.sql.commit_notifications import CommitNotifier
from ...adapters.sql.joining import SqlJoining
from ...adapters.sql.storage import SqlStorage
from ...application.orders.change_order import ChangeOrder
from ...application.orders.get_order import GetOrder
from ...application.orders.pending_writes import PendingWrites
from ...application.orders.unit_of_work import WriteSetUnitOfWork
from ...application.orders.use_cases import UseCases
from ...application.orders.without_gateway import WithoutGateway
from ..settings import Settings

if TYPE_CHECKING:
    from .storage_and_consumers import Storage


def joining(settings: Settings, storage: "Storage", commit_notifier: CommitNotifier | None) -> SqlJoining | None:
    """Return what joins transactions; None for orders in memory, which have none."""
    if not isinstance(storage, SqlStorage):
        return None
    who = "" if commit_notifier is None else f"{commit_notifier.who}joined"
    return SqlJoining(storage.database, storage.committer.terms, who, settings.event_max_bytes)


def joined_use_cases(use_cases: UseCases, pending: PendingWrites) -> UseCases:
    """Return the use-cases with commands that read and write through ``pending``, and call no payment gateway.

    They are the container's, telemetry included; only where they read and write is another.
    """
    unit_of_work = WriteSetUnitOfWork(committer=pending, read=pending.get)
    change_order = ChangeOrder(unit_of_work)

    def joined(command: Any, **parts: Any) -> Any:
        return evolve(command, call=evolve(command.call, **parts))

    def without_gateway(command: Any, **parts: Any) -> Any:
        call = evolve(command.call, change_order=change_order, **parts)
        return evolve(command, call=WithoutGateway(command.command, call, pending.get))

    cancel_order = without_gateway(use_cases.cancel_order)
    return evolve(
        use_cases,
        create_order=joined(use_cases.create_order, unit_of_work=unit_of_work),
        get_order=GetOrder(pending.get),
        transition_order_state=joined(
            use_cases.transition_order_state, change_order=change_order, cancel_order=cancel_order.call
        ),
        assign_shipper=joined(use_cases.assign_shipper, change_order=change_order),
        record_payment=without_gateway(use_cases.record_payment, views=pending),
        cancel_order=cancel_order,
        refund_order=without_gateway(use_cases.refund_order),
    )
