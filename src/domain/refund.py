"""The refunds of an order: what is asked for, what was declined, and what was paid back."""

from decimal import Decimal
from enum import StrEnum

from attrs import evolve, frozen

from .errors import InvalidInput
from .money import EXACT
from .text import shown


class RefundStep(StrEnum):
    """A step of a refund, which one event records."""

    REQUESTED = "requested"
    REPEATED = "repeated"
    """A declined refund was requested again."""
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    SETTLED = "settled"
    """A declined refund was paid back in another way."""
    HANDED_BACK = "handed_back"
    """Cash was handed back; no gateway is involved."""

    @property
    def pays_back(self) -> bool:
        """True if the customer has the money after this step."""
        return self in (RefundStep.SUCCEEDED, RefundStep.SETTLED, RefundStep.HANDED_BACK)


class RefundBearer(StrEnum):
    """The party that bears the cost of a refund."""

    RESTAURANT = "restaurant"
    COURIER = "courier"
    PLATFORM = "platform"

    @classmethod
    def parse(cls, text: str, *, field: str = "borneBy") -> "RefundBearer":
        """Return the bearer of that name. Raises InvalidInput."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidInput(field, f"{shown(text)} bears no refund", ", ".join(cls)) from None


@frozen(kw_only=True)
class Refunds:
    """Amounts in the order's currency. Their sum is never above the order's total.

    ``requested`` has no outcome yet, ``declined`` was declined and is neither requested again nor paid back in another
    way, and ``paid_back`` has reached the customer.
    """

    requested: Decimal = Decimal(0)
    declined: Decimal = Decimal(0)
    paid_back: Decimal = Decimal(0)

    def remainder(self, total: Decimal) -> Decimal:
        """Return what is left of ``total`` for another refund."""
        used = EXACT.add(EXACT.add(self.requested, self.declined), self.paid_back)
        return EXACT.subtract(total, used)

    def after(self, step: RefundStep, amount: Decimal, total: Decimal) -> "Refunds | None":
        """Return the refunds after ``step``; None if it cannot follow."""
        sources = {
            RefundStep.REQUESTED: self.remainder(total),
            RefundStep.REPEATED: self.declined,
            RefundStep.SUCCEEDED: self.requested,
            RefundStep.DECLINED: self.requested,
            RefundStep.SETTLED: self.declined,
            RefundStep.HANDED_BACK: self.remainder(total),
        }
        if not 0 < amount <= sources[step]:
            return None
        match step:
            case RefundStep.REQUESTED:
                return evolve(self, requested=EXACT.add(self.requested, amount))
            case RefundStep.REPEATED:
                requested, declined = EXACT.add(self.requested, amount), EXACT.subtract(self.declined, amount)
                return evolve(self, requested=requested, declined=declined)
            case RefundStep.SUCCEEDED:
                requested, paid_back = EXACT.subtract(self.requested, amount), EXACT.add(self.paid_back, amount)
                return evolve(self, requested=requested, paid_back=paid_back)
            case RefundStep.DECLINED:
                requested, declined = EXACT.subtract(self.requested, amount), EXACT.add(self.declined, amount)
                return evolve(self, requested=requested, declined=declined)
            case RefundStep.SETTLED:
                declined, paid_back = EXACT.subtract(self.declined, amount), EXACT.add(self.paid_back, amount)
                return evolve(self, declined=declined, paid_back=paid_back)
            case RefundStep.HANDED_BACK:
                return evolve(self, paid_back=EXACT.add(self.paid_back, amount))
