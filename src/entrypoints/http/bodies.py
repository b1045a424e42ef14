"""The bodies of requests."""

from decimal import Decimal
from typing import Annotated

from ...adapters.wire.fields import Amount
from ...application.orders.create_order import NewOrder
from ...application.orders.idempotency import MAX_KEY
from ...domain.annotations import MAX_CUSTOMER_NAME, MAX_NOTE, MAX_PAIRS, MAX_PHONE, MAX_VALUE, Annotations
from ...domain.annotations import MAX_KEY as MAX_METADATA_KEY
from ...domain.currency import MINOR_UNITS, check_currency_in_use
from ...domain.events import OrderLine
from ...domain.lifecycle import OrderState
from ...domain.money import Money, exact
from ...domain.order import MAX_REASON
from ...domain.payment import PaymentMethod
from ...domain.refund import RefundBearer
from ...domain.validation import MAX_LINES, MAX_NAME, MAX_QUANTITY, Address
from .body_fields import Body, amount_field, documented, id_field, text_field

MAX_ERROR = 200
"""Characters of the name of a class of errors."""


class LineBody(Body):
    """One line of the order. It costs price * quantity - discount."""

    food_id: Annotated[str, id_field("the food", "F1")]
    food_name: Annotated[str, text_field("the name of the food", "Pizza Margherita", MAX_NAME, 1)]
    price: Annotated[Amount, amount_field("the price of one", 12.5)]
    quantity: Annotated[int, documented(f"1 to {MAX_QUANTITY}", 2, minimum=1, maximum=MAX_QUANTITY)]
    discount: Annotated[Amount, amount_field("for the whole line, at most price * quantity; 0 if absent", 0)] = Decimal(
        0
    )


class AddressBody(Body):
    """The delivery address. It is stored with the order and is never part of an event."""

    street: Annotated[str, text_field("street and number", "Main Street 1", 200, 1)]
    city: Annotated[str, text_field("city", "Springfield", 100, 1)]
    postal_code: Annotated[str, text_field("postal code", "12345", 20)] = ""
    note: Annotated[str, text_field("a note for the shipper", "second floor", 500)] = ""


class PlaceOrder(Body):
    """A new order. The delivery fee is the part of totalPrice that exceeds the sum of the lines."""

    user_id: Annotated[str, id_field("the customer", "C1")]
    restaurant_id: Annotated[str, id_field("the restaurant", "R7")]
    order_details: Annotated[list[LineBody], documented(f"1 to {MAX_LINES} lines", minItems=1, maxItems=MAX_LINES)]
    payment_method: Annotated[str, documented("the payment method", "cash", enum=[*PaymentMethod, "card"])]
    order_id: Annotated[str, id_field("the order, if the caller chooses its id", "O-2024-1")] | None = None
    total_price: Annotated[Amount, amount_field("at least the sum of the lines", 28)] | None = None
    currency: Annotated[str, documented("a currency of ISO 4217", "USD", enum=[*MINOR_UNITS])] | None = None
    card_token: Annotated[str, id_field("the card at the gateway; with a card method only", "tok_ok")] | None = None
    address: AddressBody | None = None
    customer_name: Annotated[str, text_field("who to ask for", "Ann Smith", MAX_CUSTOMER_NAME, 1)] | None = None
    customer_phone: (
        Annotated[str, text_field("telephone number, kept as it is", "+1 212 555 0100", MAX_PHONE, 1)] | None
    ) = None
    note: Annotated[str, text_field("a note about the order", "no onions", MAX_NOTE, 1)] | None = None
    metadata: (
        Annotated[
            dict[str, str],
            documented(
                f"at most {MAX_PAIRS} pairs for your own use: keys of 1 to {MAX_METADATA_KEY} characters, values of 0 "
                f"to {MAX_VALUE}, without control characters",
                {"table": "12"},
                maxProperties=MAX_PAIRS,
            ),
        ]
        | None
    ) = None

    def order(self, currency: str) -> NewOrder:
        """Build the order, in ``currency`` if the body has none. Raises InvalidInput."""
        currency = currency if self.currency is None else self.currency
        check_currency_in_use(currency)
        total = self.total_price
        return NewOrder(
            order_id=self.order_id,
            customer_id=self.user_id,
            restaurant_id=self.restaurant_id,
            lines=[
                OrderLine(
                    food_id=line.food_id,
                    food_name=line.food_name,
                    price=_money(line.price, currency, f"orderDetails/{index}/price"),
                    quantity=line.quantity,
                    discount=_money(line.discount, currency, f"orderDetails/{index}/discount"),
                )
                for index, line in enumerate(self.order_details)
            ],
            total=None if total is None else _money(total, currency, "totalPrice"),
            currency=currency,
            payment_method=PaymentMethod.parse(self.payment_method),
            card_token=self.card_token,
            address=None if self.address is None else _address(self.address),
            annotations=Annotations.of(
                customer_name=self.customer_name,
                customer_phone=self.customer_phone,
                note=self.note,
                metadata=self.metadata,
            ),
        )


class BatchOrder(PlaceOrder):
    """A new order of a batch. Under ``idempotencyKey`` a repetition of the same order gets the first result again."""

    idempotency_key: (
        Annotated[
            str,
            documented(
                f"1 to {MAX_KEY} printable ASCII characters",
                "2024-1",
                pattern=f"^[ -~]{{1,{MAX_KEY}}}$",
            ),
        ]
        | None
    ) = None


class ChangeState(Body):
    """The requested state. Cancelling requires a reason. An order on the way requires a shipper."""

    state: Annotated[str, documented("the next state", "preparing", enum=[*OrderState, "cancel"])]
    reason: Annotated[str, text_field("the reason of a cancellation", "out of stock", MAX_REASON)] | None = None
    shipper_id: Annotated[str, id_field("the shipper to assign", "S3")] | None = None


class AssignShipperBody(Body):
    """The shipper to assign."""

    shipper_id: Annotated[str, id_field("the shipper", "S3")]


class RecordPaymentBody(Body):
    """Without ``paid``, a card is charged and cash is recorded as received. With it, the given result is recorded."""

    paid: bool | None = None


class CancelOrderBody(Body):
    """The reason of the cancellation."""

    reason: Annotated[str, text_field("the reason", "changed my mind", MAX_REASON, 1)]


class RefundOrderBody(Body):
    """A refund of an amount, of the lines of one food, or, without either, of all that is left of the payment."""

    reason: Annotated[str, text_field("the reason", "the soup was cold", MAX_REASON, 1)]
    borne_by: Annotated[str, documented("who bears it", "restaurant", enum=[*map(str, RefundBearer)])]
    amount: Annotated[Amount, amount_field("above 0, at most what is left of the payment", 5.5)] | None = None
    food_id: Annotated[str, id_field("the food whose lines are refunded", "F1")] | None = None


class EraseCustomerBody(Body):
    """The reason for the erasure. It is recorded, so it should not say who the customer is."""

    reason: Annotated[str, text_field("the reason", "asked for on 1 May", MAX_REASON, 1)]


class ReasonBody(Body):
    """The reason of an operator's action. It is recorded with the operator's name."""

    reason: Annotated[str, text_field("the reason", "the mail server is repaired", MAX_REASON, 1)]


class SetPublishing(ReasonBody):
    """The percentage of orders whose events are published."""

    percent: Annotated[int, documented("0 to 100", 100, minimum=0, maximum=100)]


class DropBody(ReasonBody):
    """The order whose first dead letter is dropped; ``withFollowers`` drops all of its dead letters."""

    consumer: Annotated[str, id_field("the consumer", "analytics")]
    order_id: Annotated[str, id_field("the order", "O-2024-1")]
    with_followers: bool = False


class RedriveBody(Body):
    """The order to redrive. A dry run may leave it out, and takes no reason."""

    consumer: Annotated[str, id_field("the consumer", "analytics")]
    order_id: Annotated[str, id_field("the order", "O-2024-1")] | None = None
    error: Annotated[str, text_field("only if this class of error parked it", "ValueError", MAX_ERROR, 1)] | None = None
    dry_run: bool = False
    reason: Annotated[str, text_field("the reason", "the mail server is repaired", MAX_REASON)] = ""


BODIES = (
    PlaceOrder,
    BatchOrder,
    ChangeState,
    AssignShipperBody,
    RecordPaymentBody,
    CancelOrderBody,
    RefundOrderBody,
    EraseCustomerBody,
    ReasonBody,
    SetPublishing,
    DropBody,
    RedriveBody,
)


def _money(amount: Decimal, currency: str, field: str) -> Money:
    return Money(exact(amount, field=field), currency)


def _address(body: AddressBody) -> Address:
    return Address(street=body.street, city=body.city, postal_code=body.postal_code, note=body.note)
