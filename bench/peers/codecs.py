"""Events to JSON and back with other libraries.

pydantic and cattrs check the types and the identifiers of an event, and pydantic its limits. All leave out the rules
across fields, such as totals that fit their lines. The standard library checks nothing at all: it is the least that
Python can do.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import orjson
from attrs import field, frozen
from attrs.validators import matches_re
from cattrs.preconf.orjson import make_converter
from pydantic import BaseModel, Field, TypeAdapter

_PATTERN = r"^[\x21-\x7e]{1,64}$"


@frozen
class Codec:
    """``prepared`` turns an event and its bytes into what ``encode`` is given."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], object]
    prepared: Callable[[Any, bytes], object] = lambda event, _: event


Identifier = Annotated[str, Field(pattern=_PATTERN)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=4)]


class _Line(BaseModel):
    foodId: Identifier
    foodName: Annotated[str, Field(min_length=1, max_length=200)]
    price: Amount
    quantity: Annotated[int, Field(ge=1, le=999)]
    discount: Amount


class _Created(BaseModel):
    restaurantId: Identifier
    totalPrice: Amount
    orderDetails: Annotated[list[_Line], Field(min_length=1, max_length=100)]
    createdAt: datetime
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$")] = None


class _Assigned(BaseModel):
    shipperId: Identifier
    assignedBy: Identifier
    assignedAt: datetime


class _Changed(BaseModel):
    oldState: str
    newState: str
    updatedBy: Identifier
    changedAt: datetime


class _Paid(BaseModel):
    paymentStatus: str
    paymentMethod: str
    amount: Amount
    success: bool
    processedAt: datetime
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$")] = None


class _Cancelled(BaseModel):
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    cancelledBy: Identifier
    cancelledAt: datetime
    shipperId: Identifier | None = None


class _Delivered(BaseModel):
    shipperId: Identifier
    deliveryTime: Annotated[int, Field(ge=0)]
    deliveredAt: datetime


class _Envelope(BaseModel):
    id: Identifier
    orderId: Identifier
    userId: str = ""
    occurredAt: datetime
    version: Literal["1.0"]


class _CreatedEvent(_Envelope):
    type: Literal["order.created"]
    data: _Created


class _AssignedEvent(_Envelope):
    type: Literal["order.shipper_assigned"]
    data: _Assigned


class _ChangedEvent(_Envelope):
    type: Literal["order.state_changed"]
    data: _Changed


class _PaidEvent(_Envelope):
    type: Literal["order.payment_processed"]
    data: _Paid


class _CancelledEvent(_Envelope):
    type: Literal["order.cancelled"]
    data: _Cancelled


class _DeliveredEvent(_Envelope):
    type: Literal["order.delivered"]
    data: _Delivered


_EVENT: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        _CreatedEvent | _AssignedEvent | _ChangedEvent | _PaidEvent | _CancelledEvent | _DeliveredEvent,
        Field(discriminator="type"),
    ]
)
PYDANTIC = Codec(
    lambda event: event.model_dump_json().encode(), _EVENT.validate_json, lambda _, body: _EVENT.validate_json(body)
)


@frozen
class _AttrsLine:
    foodId: str = field(validator=matches_re(_PATTERN))
    foodName: str
    price: Decimal
    quantity: int
    discount: Decimal


@frozen
class _AttrsEnvelope:
    """The data of all types in one: cattrs takes longer to distinguish them."""

    id: str = field(validator=matches_re(_PATTERN))
    type: str
    orderId: str = field(validator=matches_re(_PATTERN))
    userId: str
    data: "_AttrsData"
    occurredAt: datetime
    version: str


@frozen
class _AttrsData:
    restaurantId: str | None = None
    totalPrice: Decimal | None = None
    orderDetails: tuple[_AttrsLine, ...] | None = None
    oldState: str | None = None
    newState: str | None = None
    shipperId: str | None = None
    reason: str | None = None
    amount: Decimal | None = None
    deliveryTime: int | None = None


_CONVERTER = make_converter()
_CONVERTER.register_structure_hook(Decimal, lambda value, _: Decimal(str(value)))
_CONVERTER.register_unstructure_hook(Decimal, str)


def _structured(body: bytes) -> _AttrsEnvelope:
    return _CONVERTER.structure(orjson.loads(body), _AttrsEnvelope)


CATTRS = Codec(_CONVERTER.dumps, _structured, lambda _, body: _structured(body))


def _default(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


STANDARD = Codec(
    lambda event: json.dumps(event, default=_default).encode(),
    lambda body: json.loads(body, parse_float=Decimal),
    lambda _, body: json.loads(body, parse_float=Decimal),
)
