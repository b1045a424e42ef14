"""Routes for operators: status, findings, rollout and the trace of an order. For admins with a token to operate."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from attrs import field, frozen
from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from ...application.auth import Scope
from ...application.dead_letters.drop import DropResult
from ...application.dead_letters.ports import DeadLetters
from ...application.dead_letters.redrive import Redrive
from ...application.health.doctor import DoctorReport
from ...application.health.rollout_status import RolloutProgress
from ...application.health.status import Status
from ...application.health.status_watch import LagSample
from ...application.health.trace_order import TracedOrder
from ...application.maintenance.maintenance_log import MaintenanceEntry
from ...application.maintenance.ports import MaintenanceLog
from ...domain.actor import Actor, Role
from ..traced_order import trace_data
from .bodies import ReasonBody, SetPublishing
from .calls import ORDER_CALL, Call
from .exact_body import ExactBody
from .openapi import problems
from .operation_views import ChangedView, ChangesView, ChangeView, FindingsView, FindingView, StatusView, status_view
from .reads import json_response
from .role_guard import for_roles
from .views import view_of

CHANGES_SHOWN = 50
REFUSALS = problems(400, 401, 403, 500, 503)
CHANGE_REFUSALS = problems(400, 401, 403, 404, 413, 415, 500, 503)


@frozen(kw_only=True)
class Operations:
    """The use-cases of the routes, as one named dependency. ``redrive`` returns that of a consumer of this service.

    ``known_consumer`` returns the name that it is given. It raises InvalidInput if there is no such consumer.
    """

    status: Callable[[], Awaitable[tuple[Status, Sequence[LagSample]]]]
    examine: Callable[[], Awaitable[DoctorReport]]
    trace_order: Callable[..., Awaitable[TracedOrder]]
    rollout_status: Callable[[], Awaitable[RolloutProgress]]
    set_publishing_share: Callable[..., Awaitable[MaintenanceEntry | None]]
    pause_consumer: Callable[..., Awaitable[MaintenanceEntry | None]]
    resume_consumer: Callable[..., Awaitable[MaintenanceEntry | None]]
    maintenance_log: MaintenanceLog
    dead_letters: DeadLetters
    consumers: tuple[str, ...]
    known_consumer: Callable[[str], Awaitable[str]]
    redrive: Callable[[str], Redrive[Any]]
    drop_dead_letter: Callable[..., Awaitable[DropResult]]
    close: Callable[[], Awaitable[None]]
    examining: asyncio.Lock = field(factory=asyncio.Lock)


admins_only = for_roles(Role.ADMIN, refused="may not operate the service; only admins may")


_read = partial(get, responses=REFUSALS)
"""A route that observes the installation."""
_change = partial(
    post,
    status_code=200,
    dto=ExactBody[ReasonBody],
    return_dto=None,
    responses=CHANGE_REFUSALS,
)
"""A route that pauses or resumes a consumer."""


@_read(
    "/operations/status",
    operation_id="operationsStatus",
    summary="Processes, servers, lag and the latest errors",
)
async def status(operations: NamedDependency[Operations]) -> Response[StatusView]:
    """Observe the installation, once a second at most. Rates are those since the observation before."""
    found, history = await operations.status()
    return json_response(status_view(found, history))


@_read(
    "/operations/findings",
    operation_id="operationsFindings",
    summary="What the doctor finds wrong",
)
async def findings(operations: NamedDependency[Operations]) -> Response[FindingsView]:
    """Examine the installation, as `orderflow doctor` does. Examinations take turns."""
    async with operations.examining:
        report = await operations.examine()
    return json_response(
        FindingsView(
            reached=report.reached,
            findings=tuple(
                view_of(FindingView, each, what=each.diagnostic.what, expected=each.diagnostic.expected)
                for each in report.findings
            ),
        )
    )


@_read(
    "/operations/changes",
    operation_id="operationsChanges",
    summary="What was changed by hand, by whom and why",
)
async def changes(operations: NamedDependency[Operations]) -> Response[ChangesView]:
    """Return the latest changes of the maintenance log and of dead letters."""
    made = [
        view_of(ChangeView, each.note, kind=each.kind, what=str(each))
        for each in await operations.maintenance_log.history(limit=CHANGES_SHOWN)
    ]
    made += [
        view_of(
            ChangeView,
            each.note,
            kind=each.outcome,
            what=f"event {each.sequence} of order {each.order_id} for {each.consumer}",
        )
        for each in await operations.dead_letters.history(limit=CHANGES_SHOWN)
    ]
    latest = sorted(made, key=lambda each: each.at, reverse=True)[:CHANGES_SHOWN]
    return json_response(ChangesView(changes=tuple(latest)))


@_read(
    "/operations/rollout",
    operation_id="operationsRollout",
    summary="What is published, and which consumers are paused",
)
async def rollout(operations: NamedDependency[Operations]) -> Response[RolloutProgress]:
    """Return the publishing share, and each consumer with the note of its pause."""
    return json_response(await operations.rollout_status())


@put(
    "/operations/publishing",
    dto=ExactBody[SetPublishing],
    return_dto=None,
    responses=CHANGE_REFUSALS,
    operation_id="setPublishing",
    summary="Set the share of orders whose events are published",
)
async def set_publishing(
    request: Request[Actor, Any, Any], operations: NamedDependency[Operations], data: JSONBody[SetPublishing]
) -> Response[ChangedView]:
    """Publish this percentage of the orders; relays follow within a second."""
    entry = await operations.set_publishing_share(data.percent, by=str(request.user), reason=data.reason)
    return json_response(ChangedView(changed=entry is not None))


@_change(
    "/operations/consumers/{consumer:str}/pause",
    operation_id="pauseConsumer",
    summary="Pause a consumer",
)
async def pause(
    request: Request[Actor, Any, Any],
    operations: NamedDependency[Operations],
    consumer: FromPath[str],
    data: JSONBody[ReasonBody],
) -> Response[ChangedView]:
    """Have it handle no more events; its cursors are kept."""
    entry = await operations.pause_consumer(unquote(consumer), by=str(request.user), reason=data.reason)
    return json_response(ChangedView(changed=entry is not None))


@_change(
    "/operations/consumers/{consumer:str}/resume",
    operation_id="resumeConsumer",
    summary="Resume a consumer",
)
async def resume(
    request: Request[Actor, Any, Any],
    operations: NamedDependency[Operations],
    consumer: FromPath[str],
    data: JSONBody[ReasonBody],
) -> Response[ChangedView]:
    """Have it continue at its cursors."""
    entry = await operations.resume_consumer(unquote(consumer), by=str(request.user), reason=data.reason)
    return json_response(ChangedView(changed=entry is not None))


@get(
    "/orders/{order_id:str}/trace",
    responses=problems(400, 401, 403, 404, 500, 503),
    dependencies=ORDER_CALL,
    operation_id="traceOrder",
    summary="Trace an order from each request to each effect",
    opt={"scope": Scope.READ},
)
async def trace(call: NamedDependency[Call], operations: NamedDependency[Operations]) -> Response[dict[str, Any]]:
    """Return when each event was requested, committed and published, and what each consumer made of it."""
    return json_response(trace_data(await operations.trace_order(call.order, by=call.by)))


ROUTES = [status, findings, changes, rollout, set_publishing, pause, resume, trace]
