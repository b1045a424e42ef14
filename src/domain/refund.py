"""The refunds of an order: what is asked for, what was declined, and what was paid back."""

from collections.abc import Mapping
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
    FAILED = "failed"
    """The gateway had reported the refund as made, and found out later that the money did not arrive."""
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

    ``requested`` has no outcome yet. ``declined`` was declined, or failed later, and is neither requested again nor
    paid back in another way. ``paid_back`` has reached the customer.
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
        source, target = _MOVES[step]
        available = self.remainder(total) if source is None else getattr(self, source)
        if not 0 < amount <= available:
            return None
        moved = {target: EXACT.add(getattr(self, target), amount)}
        if source is not None:
            moved[source] = EXACT.subtract(available, amount)
        return evolve(self, **moved)


_MOVES: Mapping[RefundStep, tuple[str | None, str]] = {
    RefundStep.REQUESTED: (None, "requested"),
    RefundStep.REPEATED: ("declined", "requested"),
    RefundStep.SUCCEEDED: ("requested", "paid_back"),
    RefundStep.DECLINED: ("requested", "declined"),
    RefundStep.SETTLED: ("declined", "paid_back"),
    RefundStep.FAILED: ("paid_back", "declined"),
    RefundStep.HANDED_BACK: (None, "paid_back"),
}
"""From which amount of the refunds to which each step moves money; None: from what is left of the payment."""
