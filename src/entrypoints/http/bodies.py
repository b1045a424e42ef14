"""The bodies of requests. Amounts are exact, and unknown fields are refused."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

from msgspec import Meta, MsgspecError, Raw, Struct, ValidationError
from msgspec.json import Decoder
from msgspec.structs import fields

from ...adapters.wire.fields import Amount
from ...application.orders.create_order import NewOrder
from ...application.orders.idempotency import MAX_KEY
from ...domain.annotations import MAX_CUSTOMER_NAME, MAX_NOTE, MAX_PAIRS, MAX_PHONE, MAX_VALUE, Annotations
from ...domain.annotations import MAX_KEY as MAX_METADATA_KEY
from ...domain.currency import MINOR_UNITS, check_currency_in_use
from ...domain.errors import InvalidInput
from ...domain.events import OrderLine
from ...domain.lifecycle import OrderState
from ...domain.money import MAX_AMOUNT, Money, exact
from ...domain.order import MAX_REASON
from ...domain.payment import PaymentMethod
from ...domain.refund import RefundBearer
from ...domain.text import MAX_IDENTIFIER
from ...domain.validation import MAX_LINES, MAX_NAME, MAX_QUANTITY, Address

MAX_ERROR = 200
"""Characters of the name of a class of errors."""
IDENTIFIER = rf"^[!-~]{{1,{MAX_IDENTIFIER}}}$"


def _documented(description: str, *examples: object, **schema: object) -> Meta:
    """Document a field. The domain validates it, with better messages than those of a pattern."""
    return Meta(description=description, examples=list(examples) or None, extra_json_schema=schema)


def _identifier(subject: str, example: str) -> Meta:
    allowed = f"1 to {MAX_IDENTIFIER} printable ASCII characters without spaces"
    return _documented(f"{subject}: {allowed}", example, pattern=IDENTIFIER)


def _text(subject: str, example: str, at_most: int, at_least: int = 0) -> Meta:
    allowed = f"{at_least} to {at_most} characters, without control characters"
    return _documented(f"{subject}: {allowed}", example, minLength=at_least, maxLength=at_most)


def _amount(subject: str, example: float) -> Meta:
    allowed = "0 or more, with at most the decimals of the currency"
    return _documented(f"{subject}: {allowed}", example, minimum=0, exclusiveMaximum=int(MAX_AMOUNT))


class Body(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A JSON object without unknown fields."""


class LineBody(Body):
    """One line of the order. It costs price * quantity - discount."""

    food_id: Annotated[str, _identifier("the food", "F1")]
    food_name: Annotated[str, _text("the name of the food", "Pizza Margherita", MAX_NAME, 1)]
    price: Annotated[Amount, _amount("the price of one", 12.5)]
    quantity: Annotated[int, _documented(f"1 to {MAX_QUANTITY}", 2, minimum=1, maximum=MAX_QUANTITY)]
    discount: Annotated[Amount, _amount("for the whole line, at most price * quantity; 0 if absent", 0)] = Decimal(0)


class AddressBody(Body):
    """The delivery address. It is stored with the order and is never part of an event."""

    street: Annotated[str, _text("street and number", "Main Street 1", 200, 1)]
    city: Annotated[str, _text("city", "Springfield", 100, 1)]
    postal_code: Annotated[str, _text("postal code", "12345", 20)] = ""
    note: Annotated[str, _text("a note for the shipper", "second floor", 500)] = ""


class PlaceOrder(Body):
    """A new order. The delivery fee is the part of totalPrice that exceeds the sum of the lines."""

    user_id: Annotated[str, _identifier("the customer", "C1")]
    restaurant_id: Annotated[str, _identifier("the restaurant", "R7")]
    order_details: Annotated[list[LineBody], _documented(f"1 to {MAX_LINES} lines", minItems=1, maxItems=MAX_LINES)]
    payment_method: Annotated[str, _documented("the payment method", "cash", enum=[*PaymentMethod, "card"])]
    order_id: Annotated[str, _identifier("the order, if the caller chooses its id", "O-2024-1")] | None = None
    total_price: Annotated[Amount, _amount("at least the sum of the lines", 28)] | None = None
    currency: Annotated[str, _documented("a currency of ISO 4217", "USD", enum=[*MINOR_UNITS])] | None = None
    card_token: Annotated[str, _identifier("the card at the gateway; with a card method only", "tok_ok")] | None = None
    address: AddressBody | None = None
    customer_name: Annotated[str, _text("who to ask for", "Ann Smith", MAX_CUSTOMER_NAME, 1)] | None = None
    customer_phone: Annotated[str, _text("telephone number, kept as it is", "+1 212 555 0100", MAX_PHONE, 1)] | None = (
        None
    )
    note: Annotated[str, _text("a note about the order", "no onions", MAX_NOTE, 1)] | None = None
    metadata: (
        Annotated[
            dict[str, str],
            _documented(
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
            _documented(
                f"1 to {MAX_KEY} printable ASCII characters",
                "2024-1",
                pattern=f"^[ -~]{{1,{MAX_KEY}}}$",
            ),
        ]
        | None
    ) = None


class ChangeState(Body):
    """The requested state. Cancelling requires a reason. An order on the way requires a shipper."""

    state: Annotated[str, _documented("the next state", "preparing", enum=[*OrderState, "cancel"])]
    reason: Annotated[str, _text("the reason of a cancellation", "out of stock", MAX_REASON)] | None = None
    shipper_id: Annotated[str, _identifier("the shipper to assign", "S3")] | None = None


class AssignShipperBody(Body):
    """The shipper to assign."""

    shipper_id: Annotated[str, _identifier("the shipper", "S3")]


class RecordPaymentBody(Body):
    """Without ``paid``, a card is charged and cash is recorded as received. With it, the given result is recorded."""

    paid: bool | None = None


class CancelOrderBody(Body):
    """The reason of the cancellation."""

    reason: Annotated[str, _text("the reason", "changed my mind", MAX_REASON, 1)]


class RefundOrderBody(Body):
    """A refund of an amount, of the lines of one food, or, without either, of all that is left of the payment."""

    reason: Annotated[str, _text("the reason", "the soup was cold", MAX_REASON, 1)]
    borne_by: Annotated[str, _documented("who bears it", "restaurant", enum=[*map(str, RefundBearer)])]
    amount: Annotated[Amount, _amount("above 0, at most what is left of the payment", 5.5)] | None = None
    food_id: Annotated[str, _identifier("the food whose lines are refunded", "F1")] | None = None


class EraseCustomerBody(Body):
    """Why the customer is erased. It is recorded, so it should not say who the customer is."""

    reason: Annotated[str, _text("the reason", "asked for on 1 May", MAX_REASON, 1)]


class ReasonBody(Body):
    """Why an operator does it. It is recorded with the operator's name."""

    reason: Annotated[str, _text("the reason", "the mail server is repaired", MAX_REASON, 1)]


class SetPublishing(ReasonBody):
    """The percentage of orders whose events are published."""

    percent: Annotated[int, _documented("0 to 100", 100, minimum=0, maximum=100)]


class DropBody(ReasonBody):
    """The order whose first dead letter is dropped; ``withFollowers`` drops all of its dead letters."""

    consumer: Annotated[str, _identifier("the consumer", "analytics")]
    order_id: Annotated[str, _identifier("the order", "O-2024-1")]
    with_followers: bool = False


class RedriveBody(Body):
    """The order to redrive. A dry run may leave it out, and takes no reason."""

    consumer: Annotated[str, _identifier("the consumer", "analytics")]
    order_id: Annotated[str, _identifier("the order", "O-2024-1")] | None = None
    error: Annotated[str, _text("only if this class of error has parked it", "ValueError", MAX_ERROR, 1)] | None = None
    dry_run: bool = False
    reason: Annotated[str, _text("the reason", "the mail server is repaired", MAX_REASON)] = ""


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

B = TypeVar("B", bound=Body)
_UNKNOWN = "Object contains unknown field `"
_MISSING = "Object missing required field `"
_AT = " - at `$"
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`\Z")
_STEPS = re.compile(r"[^.\[\]]+")
_MAX_SHOWN = 300
"""Characters of the name of an unknown field, and of a message. A caller chooses their size."""
_JSON_KINDS: Mapping[type, str] = {str: "str", bool: "bool", list: "array", type(None): "null"}
_KIND_NAMES: Mapping[str, str] = {
    "str": "text",
    "int": "a whole number",
    "float": "a number with decimals",
    "number": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
}


def read(body: bytes, kind: type[B]) -> B:
    """Decode ``body``, without floats for amounts. Raises InvalidInput that names the field."""
    try:
        if body.count(b"{") > MAX_LINES:
            _refuse_too_many_lines(body)
        decoded: B = _decoder(kind).decode(body)
        _refuse_repeated_names(body)
        return decoded
    except ValidationError as e:
        raise _invalid(str(e), kind) from e
    except ArithmeticError as e:
        raise InvalidInput("", "a number is out of range", "numbers as in /openapi.json") from e
    except (MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise InvalidInput("", f"it is not valid JSON: {e}", "a JSON object in UTF-8") from e


class _Lines(Struct, rename="camel"):
    order_details: list[Raw] = []


_LINES = Decoder(_Lines)


def _refuse_too_many_lines(body: bytes) -> None:
    """Count the lines before any of them is decoded. Raises InvalidInput."""
    try:
        lines = len(_LINES.decode(body).order_details)
    except MsgspecError:
        return  # decoding the body says what is wrong
    if lines > MAX_LINES:
        raise InvalidInput("orderDetails", f"{lines} lines", f"1 to {MAX_LINES} lines")


class _Members(list[tuple[str, object]]):
    """The members of a JSON object, repeated ones included."""


def _refuse_repeated_names(body: bytes) -> None:
    repeats = False

    def members(pairs: list[tuple[str, object]]) -> _Members:
        nonlocal repeats
        repeats = repeats or len({name for name, _ in pairs}) < len(pairs)
        return _Members(pairs)

    document = json.loads(body, object_pairs_hook=members, parse_int=str, parse_float=str)
    if repeats:
        for field, times in _repeated_names(document, ""):
            raise InvalidInput(field, f"it is given {times} times", "each field once")


def _repeated_names(value: object, path: str) -> Iterator[tuple[str, int]]:
    """Find the repeated fields in ``value``, which is at ``path``; outer ones come first."""
    children: Sequence[tuple[str, object]] = ()
    if isinstance(value, _Members):
        children = [(_escaped(name), child) for name, child in value]
        names = Counter(name for name, _ in children)
        yield from ((path + name, times) for name, times in names.items() if times > 1)
    elif isinstance(value, list):
        children = [(str(index), child) for index, child in enumerate(value)]
    for step, child in children:
        yield from _repeated_names(child, f"{path}{step}/")


def _escaped(name: str) -> str:
    """Return ``name`` as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


@cache
def _decoder(kind: type[B]) -> Decoder[B]:
    return Decoder(kind, dec_hook=_exact_number, float_hook=Decimal)


def _exact_number(kind: type, value: object) -> Decimal:
    if kind is Amount and type(value) is int:
        return Decimal(value)
    if kind is Amount and type(value) is Decimal:
        return value
    raise ValueError(f"Expected `number`, got `{_JSON_KINDS.get(type(value), 'object')}`")


def _invalid(message: str, kind: type[Body]) -> InvalidInput:
    """Translate a message of msgspec to an error with the path of the field."""
    problem, at, path = message.rpartition(_AT)
    if not at:
        problem, path = message, ""
    steps = _STEPS.findall(path.removesuffix("`")[:_MAX_SHOWN])
    for start in (_UNKNOWN, _MISSING):
        if problem.startswith(start):
            name = problem[len(start) :].removesuffix("`")[:_MAX_SHOWN]
            field = "/".join([*steps, _escaped(name)])
            if start is _MISSING:
                return InvalidInput(field, "it is missing", "a value")
            allowed = ", ".join(field.encode_name for field in fields(_at(kind, steps)))
            return InvalidInput(field, "there is no such field", f"the fields {allowed}")
    if expected := _EXPECTED.match(problem[:_MAX_SHOWN]):
        return InvalidInput("/".join(steps), f"it is {_kind_names(expected['got'])}", _kind_names(expected["expected"]))
    return InvalidInput("/".join(steps), problem[:_MAX_SHOWN], "see /openapi.json")


def _kind_names(kinds: str) -> str:
    return " or ".join(_KIND_NAMES.get(kind, kind) for kind in kinds.split(" | "))


def _at(kind: Any, path: list[str]) -> Any:
    """Return the type of the body at ``path`` within ``kind``, as far as a caller's text has not invented it."""
    for name in path:
        types = (field.type for field in fields(kind) if field.encode_name == name)
        kind = next((body for found in types for body in _bodies(found)), kind)
    return kind


def _bodies(kind: Any) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, Body):
        return [kind]
    return [body for part in get_args(kind) for body in _bodies(part)]


def _money(amount: Decimal, currency: str, field: str) -> Money:
    return Money(exact(amount, field=field), currency)


def _address(body: AddressBody) -> Address:
    return Address(street=body.street, city=body.city, postal_code=body.postal_code, note=body.note)
