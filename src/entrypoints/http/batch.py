"""The route that creates many orders with one request. Each order is responded to for itself, in order."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from hashlib import sha256
from time import monotonic
from typing import Any

from attrs import define, field, frozen
from litestar import Request, Response, post
from litestar.di import NamedDependency
from msgspec import MsgspecError, Raw, ValidationError
from msgspec.json import Decoder

from ...application.audit import DONE, AuditFields, audit_each
from ...application.auth import Grant
from ...application.orders.create_order import NewOrder
from ...application.orders.idempotency import IdempotencyKey
from ...application.orders.in_order import in_order
from ...application.orders.order_view import OrderView
from ...application.redaction import redact
from ...application.request_context import current_request
from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from ...domain.order import Order
from .auth import GRANT
from .bodies import BatchOrder
from .calls import Call
from .openapi import NDJSON, Problem, problems
from .problems import is_server_error, problem_of
from .read_body import read_body
from .views import render

MAX_ORDERS = 1_000
ORDERS_AT_ONCE = 256
"""Orders of one batch that are created at the same time: as many as one transaction commits by default."""
STEP_BYTES = 8_000
"""Bytes that are decoded, or rendered, without a pause."""
RATE_PATIENCE = 10.0
"""Seconds that the orders of a batch wait, together, for the caller's rate."""
RATE_POLL = 0.1

_ARRAY = Decoder(list[Raw])


@frozen(kw_only=True)
class OrderResult:
    """The result of one order: ``index`` is its place in the batch, from 0.

    ``status`` is as for ``POST /v1/orders``. With 201 there is ``order``, and ``replayed`` if it is the stored result
    of an earlier request with this ``idempotencyKey``. Any other has a ``problem``, and ``retryAfter``, in seconds, if
    a retry may succeed.
    """

    index: int
    status: int
    order: OrderView | None = None
    replayed: bool = False
    problem: Problem | None = None
    retry_after: int | None = None


@frozen
class _Order:
    """One order of the batch, or the error of its body."""

    index: int
    body: bytes
    new: NewOrder | None = None
    key: str | None = None
    error: Exception | None = None

    def resources(self) -> Iterator[str]:
        """Return the id and the key, of which two orders of a batch take turns."""
        if self.new is not None and self.new.order_id is not None:
            yield f"order {self.new.order_id}"
        if self.key is not None:
            yield f"key {self.key}"


@frozen
class _Outcome:
    """The order that was created, as an object or rendered as JSON; or the error."""

    index: int
    created: Order | bytes = b""
    replayed: bool = False
    error: Exception | None = None


@post(
    "/orders:batch",
    status_code=200,
    responses=problems(400, 401, 413, 415, 500),
    operation_id="placeOrders",
    summary="Place up to 1,000 orders",
    opt={"creates": True, "kind": "batches", "media_types": ("application/json", NDJSON)},
)
async def place_orders(request: Request[Actor, Any, Any], call: NamedDependency[Call]) -> Response[list[OrderResult]]:
    """Return a result for each order, in the order of the batch. An order that is refused does not affect the others.

    The body is a JSON array, or one order a line (application/x-ndjson), and the response has the same form. Once the
    body has arrived, all orders are carried out, also if the client disconnects.
    """
    if "idempotency-key" in request.headers:
        raise InvalidInput("Idempotency-Key", "it is for one order", "the field idempotencyKey of each order")
    lines = request.headers.get("content-type", "").lower().startswith(NDJSON)
    body = await request.body()
    async with call.api.batch_turns:
        orders = _of_lines(body) if lines else _of_array(body)
        results = await _Batch(request, call).results(orders)
    if lines:
        return Response(b"".join(b"%b\n" % result for result in results), media_type=NDJSON)  # type: ignore[arg-type]
    return Response(b"[%b]" % b",".join(results), media_type="application/json")  # type: ignore[arg-type]


@define(eq=False)
class _Batch:
    """One batch, and how many of its orders the caller's rate admits at this moment."""

    request: Request[Actor, Any, Any]
    call: Call
    _granted: int = field(default=1, init=False)
    """The request itself has been counted, for the first order."""
    _patience: float = field(factory=lambda: monotonic() + RATE_PATIENCE, init=False)

    async def results(self, bodies: Sequence[bytes]) -> list[bytes]:
        """Create the orders, and return their results as JSON."""
        results: list[bytes] = []
        audited: list[AuditFields] = []
        pauses = _Pauses()
        outcomes = in_order(
            self._orders(bodies), self._create, at_once=ORDERS_AT_ONCE, resources=lambda order: order.resources()
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                results.append(self._rendered(outcome))
                audited.append(self._audited(outcome))
                await pauses.after(len(results[-1]))
        audit_each(current_request(), audited)
        return results

    def _audited(self, outcome: _Outcome) -> AuditFields:
        """Return the audit line of one order; the batch as a whole has another one."""
        grant, client = self.request.scope.get(GRANT), self.request.scope.get("client")
        return {
            "door": "http",
            "action": "create_order",
            "outcome": DONE if outcome.error is None else getattr(outcome.error, "code", "error"),
            "actor": str(self.call.by),
            "label": redact(grant.label) if isinstance(grant, Grant) else "",
            "origin": client[0] if client else "",
            "order_id": redact(outcome.created.id) if isinstance(outcome.created, Order) else "",
        }

    async def _orders(self, bodies: Sequence[bytes]) -> AsyncIterator[_Order]:
        pauses = _Pauses()
        for index, body in enumerate(bodies):
            if not self._granted:
                self._granted = await self._wait_for_rate(len(bodies) - index)
            if self._granted:
                self._granted -= 1
                yield self._read(index, body)
            else:
                yield _Order(index, body, error=self.call.api.callers.above_rate())
            await pauses.after(len(body))

    async def _wait_for_rate(self, wanted: int) -> int:
        """Return how many more orders are within the caller's rate; 0 if none is in time."""
        api = self.call.api
        while not (granted := await api.callers.granted(self.request.scope, str(self.call.by), wanted)):
            if monotonic() > self._patience or api.closing.is_set():
                return 0
            await asyncio.sleep(RATE_POLL)
        return granted

    def _read(self, index: int, body: bytes) -> _Order:
        try:
            data = read_body(body, BatchOrder)
            return _Order(index, body, data.order(self.call.api.currency), data.idempotency_key)
        except InvalidInput as error:
            return _Order(index, body, error=error)

    async def _create(self, order: _Order) -> _Outcome:
        if order.new is None:
            return _Outcome(order.index, error=order.error)
        new, by, use_cases = order.new, self.call.by, self.call.use_cases
        try:
            if order.key is None:
                return _Outcome(order.index, await use_cases.create_order(new, by=by))
            key = IdempotencyKey(
                caller=str(by), key=order.key, fingerprint=_fingerprint(order.body), render=self._render_order
            )
            created, replayed = await use_cases.idempotent(
                key, lambda key: use_cases.create_order(new, by=by, idempotency=key)
            )
            return _Outcome(order.index, created, replayed)
        except Exception as error:  # noqa: BLE001 (it is the order's result)
            return _Outcome(order.index, error=error)

    def _render_order(self, order: Order) -> bytes:
        return render(self.call.use_cases.view(order, self.call.by))

    def _rendered(self, outcome: _Outcome) -> bytes:
        if (error := outcome.error) is not None:
            return self._problem(outcome.index, error)
        created = outcome.created
        order = self._render_order(created) if isinstance(created, Order) else created
        replayed = b',"replayed":true' if outcome.replayed else b""
        return b'{"index":%d,"status":201,"order":%b%b}' % (outcome.index, order, replayed)

    def _problem(self, index: int, error: Exception) -> bytes:
        if is_server_error(error):
            self.call.api.failed(error)
        status, headers, document = problem_of(self.request, _located(error, index))
        retry = headers.get("Retry-After")
        shown = {"index": index, "status": status, "problem": document}
        return render(shown if retry is None else {**shown, "retryAfter": int(retry)})


@define(eq=False)
class _Pauses:
    """Gives other requests their turn after each STEP_BYTES."""

    _size: int = field(default=0, init=False)

    async def after(self, size: int) -> None:
        """Note ``size`` further bytes."""
        self._size += size
        if self._size >= STEP_BYTES:
            self._size = 0
            await asyncio.sleep(0)


def _located(error: Exception, index: int) -> Exception:
    """Return ``error`` with the place of its field in the batch."""
    if not isinstance(error, InvalidInput):
        return error
    field = "idempotencyKey" if error.field == "Idempotency-Key" else error.field
    return InvalidInput(f"{index}/{field}" if field else str(index), error.problem, error.allowed)


def _fingerprint(body: bytes) -> str:
    """Return a digest of an order of a batch, to which a key belongs."""
    return sha256(b"POST\n/v1/orders:batch\n" + body).hexdigest()


def _of_array(body: bytes) -> list[bytes]:
    """Return the elements of a JSON array, which are counted before any is decoded. Raises InvalidInput."""
    allowed = f"a JSON array of 1 to {MAX_ORDERS} orders, in UTF-8"
    try:
        elements = _ARRAY.decode(body)
    except ValidationError as e:
        raise InvalidInput("", "it is no array", allowed) from e
    except (MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise InvalidInput("", f"it is not valid JSON: {e}", allowed) from e
    _check_number(len(elements))
    return [bytes(element) for element in elements]


def _of_lines(body: bytes) -> list[bytes]:
    """Return the lines that are not empty. Raises InvalidInput."""
    lines: list[bytes] = []
    start = 0
    while start < len(body) and len(lines) <= MAX_ORDERS:
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        if line := body[start:end].strip():
            lines.append(line)
        start = end + 1
    _check_number(len(lines))
    return lines


def _check_number(number: int) -> None:
    if not 1 <= number <= MAX_ORDERS:
        problem = "it has no orders" if not number else f"it has more than {MAX_ORDERS} orders"
        raise InvalidInput("", problem, f"1 to {MAX_ORDERS} orders")
