"""Erasing a customer who asks for it."""

from attrs import evolve, frozen

from ...domain.errors import OrdersOpen
from ...domain.text import counted, identifier
from ..clock import Clock
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .ports import PersonalData


@frozen(kw_only=True)
class ErasedCustomer:
    """The counts of an erasure: orders with an address or a card, notifications, and stored responses."""

    customer_id: str
    orders: int
    notifications: int
    responses: int


@frozen
class EraseCustomer:
    """Erases what is kept of a customer apart from the events: contact, tokens, addresses, cards, and what was sent.

    Orders, amounts and events stay, under the customer's id, which events never lose. The note enters the maintenance
    log. An erasure that was interrupted is completed by the next. Raises OrdersOpen, and then nothing was erased;
    InvalidInput, StorageUnavailable.
    """

    data: PersonalData
    maintenance_log: MaintenanceLog
    clock: Clock

    async def __call__(self, customer_id: str, *, by: str, reason: str) -> ErasedCustomer:
        identifier(customer_id, field="userId")
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        if many := await self.data.open_orders(customer_id):
            raise OrdersOpen(customer_id, many)
        await self.data.erase_account(customer_id, at=note.at)
        erased, after = ErasedCustomer(customer_id=customer_id, orders=0, notifications=0, responses=0), ""
        while True:
            step = await self.data.erase_orders(customer_id, after=after)
            erased = evolve(
                erased,
                orders=erased.orders + step.orders,
                notifications=erased.notifications + step.notifications,
                responses=erased.responses + step.responses,
            )
            if step.last is None:
                break
            after = step.last
        counts = f"{counted(erased.orders, 'order')}, {counted(erased.notifications, 'notification')}"
        detail = f"customer {customer_id}: {counts}"
        await self.maintenance_log.record(MaintenanceEntry(kind=MaintenanceKind.ERASE, note=note, detail=detail))
        return erased
