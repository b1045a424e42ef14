"""Routes to the orders that a consumer has parked: for admins with a token to operate."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from attrs import frozen
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from ...application.consuming.dead_letter import DeadLetter
from ...application.dead_letters.ports import ParkedGroup
from ...application.dead_letters.redrive import RedriveCandidate
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, NotFound
from ...domain.text import identifier, text
from .bodies import MAX_ERROR, DropBody, RedriveBody
from .correlation import ABOUT
from .exact_body import ExactBody
from .openapi import problems
from .operations import Operations
from .parameters import parse_identifier, query
from .reads import json_response
from .views import view_of

SHOWN = 200
"""Parked orders that one response lists; its groups count all."""
PLANNED = 1_000
"""Orders that one dry run lists."""


@frozen(kw_only=True)
class ParkedView:
    """A parked order: the event that failed, and how."""

    consumer: str
    order_id: str
    sequence: int
    type: str
    error: str
    message: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime


@frozen(kw_only=True)
class DeadLettersView:
    """All parked orders in ``groups``, and the first 200 of those that were asked for."""

    groups: tuple[ParkedGroup, ...]
    orders: tuple[ParkedView, ...]


@frozen(kw_only=True)
class RedrivenView:
    """The result of a redrive; of a dry run, the first 1,000 ``candidates`` and the number of their ``events``.

    ``stopped`` is the event that failed again, at which its order stays parked.
    """

    events: int
    unparked: bool
    stopped: ParkedView | None
    candidates: tuple[RedriveCandidate, ...]


@frozen(kw_only=True)
class DroppedView:
    """The numbers of the events that were dropped. ``unparked``: the order's next events are handled again."""

    sequences: tuple[int, ...]
    unparked: bool


@get(
    "/operations/dead-letters",
    responses=problems(400, 401, 403, 500, 503),
    operation_id="deadLetters",
    summary="Parked orders, grouped by consumer and error",
)
async def dead_letters(
    operations: NamedDependency[Operations],
    consumer: Annotated[str | None, query("consumer", "only orders that this consumer has parked")] = None,
    error: Annotated[str | None, query("error", "only orders that this class of error has parked")] = None,
) -> Response[DeadLettersView]:
    """Return all groups, and the first orders with the event that each stands at."""
    consumer = parse_identifier(consumer, "consumer")
    error = None if error is None else text(error, field="error", at_least=1, at_most=MAX_ERROR)
    groups = await operations.dead_letters.groups()
    orders = await operations.dead_letters.blocking(consumer, error=error, limit=SHOWN)
    if consumer is not None and not orders:
        await operations.known_consumer(consumer)  # an empty list would hide a mistyped name
    return json_response(DeadLettersView(groups=tuple(groups), orders=tuple(_parked(each) for each in orders)))


_post = partial(
    post,
    status_code=200,
    return_dto=None,
    responses=problems(400, 401, 403, 404, 413, 415, 500, 503),
)
"""A route that acts on dead letters."""


@_post(
    "/operations/dead-letters/redrive",
    dto=ExactBody[RedriveBody],
    operation_id="redrive",
    summary="Handle the events of a parked order again",
)
async def redrive(
    request: Request[Actor, Any, Any], operations: NamedDependency[Operations], data: JSONBody[RedriveBody]
) -> Response[RedrivenView]:
    """Redrive one order. A dry run lists the orders of a consumer, or of one error of it, to be redriven one by one."""
    order_id = parse_identifier(data.order_id, "orderId")
    request.scope[ABOUT] = {"order_id": order_id, "consumer": data.consumer}  # type: ignore[literal-required]
    if data.consumer not in operations.consumers:
        raise InvalidInput("consumer", f"{data.consumer[:80]!r} does not run here", ", ".join(operations.consumers))
    use_case = operations.redrive(data.consumer)
    if data.dry_run:
        candidates = tuple(await use_case.preview(order_id, error=data.error, limit=PLANNED))
        events = sum(each.events for each in candidates)
        return json_response(RedrivenView(events=events, unparked=False, stopped=None, candidates=candidates))
    if order_id is None:
        raise InvalidInput("orderId", "it is missing", "one order; dryRun lists those of a group")
    done = await use_case(order_id, error=data.error, by=str(request.user), reason=data.reason)
    if not done.unparked and not done.stopped:
        raise NotFound(f"dead letter of {data.consumer} for order", order_id)
    stopped = _parked(done.stopped[0]) if done.stopped else None
    return json_response(RedrivenView(events=done.events, unparked=bool(done.unparked), stopped=stopped, candidates=()))


@_post(
    "/operations/dead-letters/drop",
    dto=ExactBody[DropBody],
    operation_id="dropDeadLetter",
    summary="Skip the event that parked an order",
)
async def drop(
    request: Request[Actor, Any, Any], operations: NamedDependency[Operations], data: JSONBody[DropBody]
) -> Response[DroppedView]:
    """Skip it for this consumer; with ``withFollowers``, also the order's events behind it. They stay in the log."""
    request.scope[ABOUT] = {"order_id": data.order_id, "consumer": data.consumer}  # type: ignore[literal-required]
    result = await operations.drop_dead_letter(
        identifier(data.consumer, field="consumer"),
        identifier(data.order_id, field="orderId"),
        by=str(request.user),
        reason=data.reason,
        with_followers=data.with_followers,
    )
    sequences = tuple(each.record.sequence for each in result.dead_letters)
    return json_response(DroppedView(sequences=sequences, unparked=result.unparked))


def _parked(it: DeadLetter) -> ParkedView:
    record = it.record
    return view_of(ParkedView, it, order_id=record.order_id, sequence=record.sequence, type=record.type)


ROUTES = [dead_letters, redrive, drop]
