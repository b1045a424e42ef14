"""The payment of an order: its method, its status, and the changes of status that are allowed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from attrs import field, frozen

from .errors import InvalidInput
from .refund import Refunds
from .text import identifier, shown


class PaymentMethod(StrEnum):
    CASH = "cash"
    CREDIT_CARD = "credit_card"
    DEBIT_CARD = "debit_card"

    @classmethod
    def parse(cls, text: str, *, field: str = "paymentMethod") -> Self:
        """Return the method of that name; ``card`` is another name of ``credit_card``. Raises InvalidInput."""
        try:
            return cls("credit_card" if text == "card" else text)
        except ValueError:
            raise InvalidInput(field, f"{shown(text)} is no payment method", ", ".join([*cls, "card"])) from None


class PaymentStatus(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"


PAYMENT_TRANSITIONS: Mapping[PaymentStatus, tuple[PaymentStatus, ...]] = {
    PaymentStatus.PENDING: (PaymentStatus.PAID, PaymentStatus.FAILED),
    PaymentStatus.FAILED: (PaymentStatus.PAID, PaymentStatus.FAILED),
    PaymentStatus.PAID: (PaymentStatus.REFUNDED,),
    PaymentStatus.REFUNDED: (),
}
"""The statuses that a payment can change to, by its status."""


NO_REFUNDS = Refunds()


@frozen(kw_only=True)
class Payment:
    """The method and status of an order's payment. ``card_token`` is the gateway's token for a card."""

    method: PaymentMethod
    card_token: str | None = field(default=None, repr=False)
    status: PaymentStatus = PaymentStatus.PENDING
    refunds: Refunds = NO_REFUNDS

    @classmethod
    def of(cls, method: PaymentMethod, card_token: str | None) -> Self:
        """Return a pending payment. A card method needs a token, cash has none.

        Raises InvalidInput, whose text never contains the token.
        """
        if method is PaymentMethod.CASH:
            if card_token is not None:
                raise InvalidInput("cardToken", "a card token with cash", "none, or a card method")
            return cls(method=method)
        if not card_token:
            raise InvalidInput("cardToken", f"{method} without a card token", "the gateway's token for the card")
        try:
            identifier(card_token, field="cardToken")
        except InvalidInput as error:
            raise InvalidInput("cardToken", "it is no token", error.allowed) from None
        return cls(method=method, card_token=card_token)

    @property
    def by_card(self) -> bool:
        return self.method is not PaymentMethod.CASH

    def differences(self, other: "Payment") -> tuple[str, ...]:
        """Return the names of the requested values that differ; the status is not one of them."""
        return tuple(name for name in ("method", "card_token") if getattr(self, name) != getattr(other, name))
