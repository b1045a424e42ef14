"""TODO."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from attrs import field, frozen

from .errors import InvalidInput
from .text import shown


class PaymentMethod(StrEnum):
    CASH = "cash"
    CREDIT_CARD = "credit_card"
    DEBIT_CARD = "debit_card"

    @classmethod
    def parse(cls, text: str, *, field: str = "paymentMethod") -> Self:
        """The method of that name; ``card`` is another name of ``credit_card``. Raises InvalidInput."""
        try:
            return cls("credit_card" if text == "card" else text)
        except ValueError:
            raise InvalidInput(field, f"{shown(text)} is no payment method", ", ".join([*cls, "card"])) from None


class PaymentStatus(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"


@frozen(kw_only=True)
class Payment:
    """How the order is paid and how far that is. The card token stands for a card at the gateway."""

    method: PaymentMethod
    card_token: str | None = field(default=None, repr=False)
    status: PaymentStatus = PaymentStatus.PENDING


PAYMENT_PATHS: Mapping[PaymentStatus, tuple[PaymentStatus, ...]] = {
    PaymentStatus.PENDING: (PaymentStatus.PAID, PaymentStatus.FAILED),
    PaymentStatus.FAILED: (PaymentStatus.PAID, PaymentStatus.FAILED),
    PaymentStatus.PAID: (PaymentStatus.REFUNDED,),
    PaymentStatus.REFUNDED: (),
}
