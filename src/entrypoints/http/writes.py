"""Routes that change an order. Each reads its body, asks one use-case, and answers the order as it is now."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

from attrs import frozen
from litestar import Request, Response, patch, post, put
from litestar.di import NamedDependency as Given
from litestar.di import Provide
from litestar.params import JSONBody
from msgspec import Struct
from msgspec.json import decode

from ...application.orders.idempotency import IdempotencyKey, Idempotent
from ...application.orders.order_view import OrderView, view
from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.lifecycle import OrderState
from ...domain.order import Order
from .bodies import AssignShipperBody, CancelOrderBody, ChangeState, PlaceOrder, RecordPaymentBody
from .etag import etag, expected_version
from .exact_body import ExactBody
from .openapi import CORRELATION, ETAG, LOCATION, REPLAYED, problems
from .parameters import header
from .views import render

Command = Callable[[IdempotencyKey | None], Awaitable[Order]]
"""A use-case with all its arguments but the idempotency key."""


@frozen
class OrderDefaults:
    """What holds for all orders of this installation."""

    currency: str


class _Said(Struct, rename="camel"):
    """What the headers of an answer need of its body, also of one that was stored."""

    order_id: str
    version: int


@frozen
class IdempotentRequest:
    """One write as it was asked: by whom, under which idempotency key if any, and what identifies it."""

    by: Actor
    key: str | None
    fingerprint: str
    idempotent: Idempotent

    async def answer(self, command: Command, *, status: int = 200) -> Response[Any]:
        """The order that ``command`` gives, rendered; under a key, the first answer's bytes for ever after."""
        if self.key is None:
            body, replayed = self._render(await command(None)), False
        else:
            key = IdempotencyKey(
                caller=str(self.by),
                key=self.key,
                fingerprint=self.fingerprint,
                requested_at=datetime.now(UTC),
                render=self._render,
            )
            body, replayed = await self.idempotent(key, command)
        said = decode(body, type=_Said)
        headers = {"ETag": etag(said.version)}
        if status == 201:
            headers["Location"] = f"/v1/orders/{quote(said.order_id, safe='')}"
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(body, status_code=status, media_type="application/json", headers=headers)

    def _render(self, order: Order) -> bytes:
        return render(view(order, self.by))


async def provide_idempotent_request(
    request: Request[Actor, Any, Any],
    use_cases: Given[UseCases],
    idempotency_key: Annotated[
        str | None,
        header(
            "Idempotency-Key",
            "1 to 255 printable ASCII characters: the same key and body is done once, and answered the same ever after",
        ),
    ] = None,
) -> IdempotentRequest:
    body = await request.body()
    fingerprint = sha256(b"\n".join([request.method.encode(), request.scope["path"].encode(), body])).hexdigest()
    return IdempotentRequest(
        by=request.user, key=idempotency_key, fingerprint=fingerprint, idempotent=use_cases.idempotent
    )


async def provide_version(
    if_match: Annotated[
        str | None,
        header("If-Match", 'the ETag that was decided upon, such as "3", or *'),
    ] = None,
) -> int | None:
    return expected_version(if_match)


WRITES = {"asked": Provide(provide_idempotent_request)}
CHANGES = {**WRITES, "version": Provide(provide_version)}
HEADERS = [ETAG, REPLAYED, CORRELATION]
REFUSALS = problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 500, 503)


@post(
    "/orders",
    dto=ExactBody[PlaceOrder],
    return_dto=None,
    dependencies=WRITES,
    response_headers=[ETAG, LOCATION, REPLAYED, CORRELATION],
    responses=problems(400, 401, 403, 409, 413, 415, 422, 500, 503),
    operation_id="placeOrder",
    summary="Place an order",
)
async def place_order(
    data: JSONBody[PlaceOrder],
    asked: Given[IdempotentRequest],
    use_cases: Given[UseCases],
    defaults: Given[OrderDefaults],
) -> Response[OrderView]:
    """With an orderId of the caller's own, asking again with the same content answers the same order."""
    new = data.order(defaults.currency)
    return await asked.answer(lambda key: use_cases.create_order(new, by=asked.by, idempotency=key), status=201)


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
    order: Given[str],
    asked: Given[IdempotentRequest],
    version: Given[int | None],
    use_cases: Given[UseCases],
) -> Response[OrderView]:
    """By the transition table; a refusal says which guard failed and what would unlock it."""
    state = OrderState.parse(data.state)
    return await asked.answer(
        lambda key: use_cases.transition_order_state(
            order,
            state,
            by=asked.by,
            shipper_id=data.shipper_id,
            reason=data.reason,
            expected_version=version,
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
    order: Given[str],
    asked: Given[IdempotentRequest],
    version: Given[int | None],
    use_cases: Given[UseCases],
) -> Response[OrderView]:
    """While the order waits for a shipper or is prepared; a waiting order begins to be prepared."""
    return await asked.answer(
        lambda key: use_cases.assign_shipper(
            order, data.shipper_id, by=asked.by, expected_version=version, idempotency=key
        )
    )


@post(
    "/orders/{order_id:str}/payment",
    status_code=200,
    dto=ExactBody[RecordPaymentBody],
    return_dto=None,
    dependencies=CHANGES,
    response_headers=HEADERS,
    responses=REFUSALS,
    operation_id="recordPayment",
    summary="Charge the card, or record a payment",
)
async def record_payment(
    data: JSONBody[RecordPaymentBody],
    order: Given[str],
    asked: Given[IdempotentRequest],
    version: Given[int | None],
    use_cases: Given[UseCases],
) -> Response[OrderView]:
    """A declined card is an answer, not an error: the order comes back with payment ``failed``."""
    return await asked.answer(
        lambda key: use_cases.record_payment(
            order, by=asked.by, paid=data.paid, expected_version=version, idempotency=key
        )
    )


@post(
    "/orders/{order_id:str}/cancel",
    status_code=200,
    dto=ExactBody[CancelOrderBody],
    return_dto=None,
    dependencies=CHANGES,
    response_headers=HEADERS,
    responses=REFUSALS,
    operation_id="cancelOrder",
    summary="Cancel an order",
)
async def cancel_order(
    data: JSONBody[CancelOrderBody],
    order: Given[str],
    asked: Given[IdempotentRequest],
    version: Given[int | None],
    use_cases: Given[UseCases],
) -> Response[OrderView]:
    """What was paid by card is given back."""
    return await asked.answer(
        lambda key: use_cases.cancel_order(order, data.reason, by=asked.by, expected_version=version, idempotency=key)
    )
