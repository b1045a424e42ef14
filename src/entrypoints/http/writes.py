"""Routes that change an order. Each reads its body, calls one use-case, and returns the order."""

from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

from attrs import frozen
from litestar import Request, Response, patch, post, put
from litestar.di import NamedDependency as Given
from litestar.di import Provide
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from msgspec.json import decode

from ...application.orders.idempotency import IdempotencyKey
from ...application.orders.order_view import OrderView
from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.lifecycle import OrderState
from ...domain.money import exact
from ...domain.order import Order
from ...domain.refund import RefundBearer
from .bodies import AssignShipperBody, CancelOrderBody, ChangeState, PlaceOrder, RecordPaymentBody, RefundOrderBody
from .calls import Call, provide_call, provide_order_call
from .etag import etag, expected_version
from .exact_body import ExactBody
from .openapi import ETAG, LOCATION, REPLAYED, problems
from .parameters import header
from .views import render

Command = Callable[[IdempotencyKey | None], Awaitable[Order]]
"""A use-case with all its arguments but the idempotency key."""


class _Body(Struct, rename="camel"):
    """The part of a response's body that its headers need; also of a stored response."""

    order_id: str
    version: int


@frozen
class Write:
    """A call that writes, with its idempotency key if any, and the version that If-Match requires.

    ``fingerprint`` is that of the request if there is a key.
    """

    call: Call
    key: str | None
    fingerprint: str
    version: int | None = None

    @property
    def by(self) -> Actor:
        return self.call.by

    @property
    def use_cases(self) -> UseCases:
        return self.call.use_cases

    async def respond(self, command: Command, *, status: int = 200) -> Response[Any]:
        """Respond with the order that ``command`` returns; under a key, with the first response's bytes."""
        if self.key is None:
            body, replayed = self._render(await command(None)), False
        else:
            key = IdempotencyKey(
                caller=str(self.by),
                key=self.key,
                fingerprint=self.fingerprint,
                render=self._render,
            )
            body, replayed = await self.use_cases.idempotent(key, command)
        shown = decode(body, type=_Body)
        headers = {"ETag": etag(shown.version)}
        if status == 201:
            headers["Location"] = f"/v1/orders/{quote(shown.order_id, safe='')}"
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(body, status_code=status, media_type="application/json", headers=headers)

    def _render(self, order: Order) -> bytes:
        return render(self.use_cases.view(order, self.by))


Key = Annotated[
    str | None,
    header(
        "Idempotency-Key",
        "1 to 255 printable ASCII characters. A request that repeats key and body gets the first response again",
    ),
]
IfMatch = Annotated[str | None, header("If-Match", 'the ETag that was decided upon, such as "3", or *')]


async def provide_write(request: Request[Actor, Any, Any], idempotency_key: Key = None) -> Write:
    """Return a call that places an order."""
    fingerprint = await _fingerprint(request, request.scope["path"], idempotency_key)
    return Write(provide_call(request), idempotency_key, fingerprint)


async def provide_change(
    request: Request[Actor, Any, Any], order_id: FromPath[str], if_match: IfMatch = None, idempotency_key: Key = None
) -> Write:
    """Return a call that changes an order."""
    call = provide_order_call(request, order_id)
    path = f"/v1/orders/{call.order}/{request.scope['path'].rpartition('/')[2]}"
    fingerprint = await _fingerprint(request, path, idempotency_key)
    return Write(call, idempotency_key, fingerprint, expected_version(if_match))


async def _fingerprint(request: Request[Actor, Any, Any], path: str, idempotency_key: str | None) -> str:
    """Return a digest of the request if it has a key. ``path`` has the order's id decoded: it has several spellings."""
    if idempotency_key is None:
        return ""
    return sha256(b"\n".join([request.method.encode(), path.encode(), await request.body()])).hexdigest()


WRITES = {"write": Provide(provide_write)}
CHANGES = {"write": Provide(provide_change)}
HEADERS = [ETAG, REPLAYED]
REFUSALS = problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 500, 503)


@post(
    "/orders",
    dto=ExactBody[PlaceOrder],
    return_dto=None,
    dependencies=WRITES,
    response_headers=[ETAG, LOCATION, REPLAYED],
    responses=problems(400, 401, 403, 409, 413, 415, 422, 500, 503),
    operation_id="placeOrder",
    summary="Place an order",
    opt={"creates": True},
)
async def place_order(
    data: JSONBody[PlaceOrder],
    write: Given[Write],
) -> Response[OrderView]:
    """Return the same order if a request repeats the caller's own orderId and content."""
    new = data.order(write.call.api.currency)
    return await write.respond(lambda key: write.use_cases.create_order(new, by=write.by, idempotency=key), status=201)


@patch(
    "/orders/{order_id:str}/state",
    dto=ExactBody[ChangeState],
    return_dto=None,
    dependencies=CHANGES,
    response_headers=HEADERS,
    responses=REFUSALS,
    operation_id="changeState",
    summary="Move an order to its next state",
)
async def change_state(
    data: JSONBody[ChangeState],
    write: Given[Write],
) -> Response[OrderView]:
    """Apply the transition table. A refusal says which guard failed, and what would unlock it."""
    state = OrderState.parse(data.state)
    return await write.respond(
        lambda key: write.use_cases.transition_order_state(
            write.call.order,
            state,
            by=write.by,
            shipper_id=data.shipper_id,
            reason=data.reason,
            expected_version=write.version,
            idempotency=key,
        )
    )


@put(
    "/orders/{order_id:str}/shipper",
    dto=ExactBody[AssignShipperBody],
    return_dto=None,
    dependencies=CHANGES,
    response_headers=HEADERS,
    responses=REFUSALS,
    operation_id="assignShipper",
    summary="Assign or replace the shipper",
)
async def assign_shipper(
    data: JSONBody[AssignShipperBody],
    write: Given[Write],
) -> Response[OrderView]:
    """Require an order that waits for a shipper or is being prepared; a waiting order starts to be prepared."""
    return await write.respond(
        lambda key: write.use_cases.assign_shipper(
            write.call.order, data.shipper_id, by=write.by, expected_version=write.version, idempotency=key
        )
    )


_post = partial(
    post, status_code=200, return_dto=None, dependencies=CHANGES, response_headers=HEADERS, responses=REFUSALS
)
"""A route that changes an order."""


@_post(
    "/orders/{order_id:str}/payment",
    dto=ExactBody[RecordPaymentBody],
    responses=problems(400, 401, 402, 403, 404, 409, 412, 413, 415, 422, 500, 503),
    operation_id="recordPayment",
    summary="Charge the card, or record a payment",
)
async def record_payment(
    data: JSONBody[RecordPaymentBody],
    write: Given[Write],
) -> Response[OrderView]:
    """Return the order also if the card is declined; its payment is ``failed`` then.

    402 means that the customer has to confirm the payment with ``clientSecret`` or at ``confirmationUrl``.
    """
    return await write.respond(
        lambda key: write.use_cases.record_payment(
            write.call.order, by=write.by, paid=data.paid, expected_version=write.version, idempotency=key
        )
    )


@_post(
    "/orders/{order_id:str}/cancel",
    dto=ExactBody[CancelOrderBody],
    operation_id="cancelOrder",
    summary="Cancel an order",
)
async def cancel_order(
    data: JSONBody[CancelOrderBody],
    write: Given[Write],
) -> Response[OrderView]:
    """Ask for a refund of the payment, if it was made by card; it is ``refunded`` when the gateway has said so."""
    return await write.respond(
        lambda key: write.use_cases.cancel_order(
            write.call.order, data.reason, by=write.by, expected_version=write.version, idempotency=key
        )
    )


@_post(
    "/orders/{order_id:str}/refunds",
    dto=ExactBody[RefundOrderBody],
    operation_id="refundOrder",
    summary="Refund an order, or a part of it",
)
async def refund_order(
    data: JSONBody[RefundOrderBody],
    write: Given[Write],
) -> Response[OrderView]:
    """Ask for a refund. An admin may, and the order's restaurant what it bears itself."""
    borne_by = RefundBearer.parse(data.borne_by)
    amount = None if data.amount is None else exact(data.amount, field="amount")
    return await write.respond(
        lambda key: write.use_cases.refund_order(
            write.call.order,
            data.reason,
            borne_by=borne_by,
            by=write.by,
            amount=amount,
            food_id=data.food_id,
            expected_version=write.version,
            idempotency=key,
        )
    )
