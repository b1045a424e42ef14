"""Routes that tell the rules: the states and their transitions, and what an actor may do with an order."""

from collections.abc import Mapping

from attrs import frozen
from litestar import Response, get
from litestar.di import NamedDependency

from ...application.orders.order_actions import ActionCheck, check_actions
from ...domain.lifecycle import TRANSITIONS, OrderState
from .calls import ORDER_CALL, Call
from .openapi import problems
from .reads import json_response
from .views import late_after_seconds


@frozen(kw_only=True)
class StateRule:
    """A state. An order that does not change in it for ``limit_seconds`` is late; a final state has no limit."""

    state: str
    final: bool
    limit_seconds: int | None


@frozen(kw_only=True)
class TransitionRule:
    """A transition. ``by`` are the roles that may make it, with the relation to the order that each needs.

    ``guard`` is a condition besides, or null.
    """

    source: str
    target: str
    by: Mapping[str, str]
    guard: str | None


@frozen(kw_only=True)
class LifecycleView:
    """The life of an order. It begins in the first of the states."""

    states: tuple[StateRule, ...]
    transitions: tuple[TransitionRule, ...]


@frozen(kw_only=True)
class ActionsView:
    """All actions on an order at this version, as the order answers the caller."""

    order_id: str
    version: int
    actions: tuple[ActionCheck, ...]


@get(
    "/lifecycle",
    responses=problems(400, 401, 403, 500, 503),
    operation_id="lifecycle",
    summary="The states of an order, their transitions and limits",
)
async def lifecycle() -> Response[LifecycleView]:
    """Return the table that the service itself uses."""
    return json_response(LIFECYCLE)


@get(
    "/orders/{order_id:str}/actions",
    responses=problems(400, 401, 403, 404, 500, 503),
    dependencies=ORDER_CALL,
    operation_id="orderActions",
    summary="What the caller may do with an order now, and why not the rest",
)
async def actions(call: NamedDependency[Call]) -> Response[ActionsView]:
    """Return every action; for one that the order refuses, the guard that failed and what would fulfil it."""
    order = await call.use_cases.get_order(call.order, by=call.by)
    checked = check_actions(order, call.by, call.use_cases.restaurants)
    return json_response(ActionsView(order_id=order.id, version=order.version, actions=tuple(checked)))


LIFECYCLE = LifecycleView(
    states=tuple(
        StateRule(state=state, final=state.terminal, limit_seconds=late_after_seconds(state)) for state in OrderState
    ),
    transitions=tuple(
        TransitionRule(
            source=t.source,
            target=t.target,
            by={role.value: relation.value for role, relation in t.by.items()},
            guard=None if t.guard is None else t.guard.value,
        )
        for t in TRANSITIONS
    ),
)
