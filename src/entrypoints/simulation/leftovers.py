"""Orders that are left after a watched day, so that there is something to do on the board.

They are placed after the day has been checked, in the usual way, at times just before the end of the day. The
notifications of one of them fail until it is parked, as if its messages could not be written; redriving it succeeds.
"""

import asyncio
from collections.abc import Mapping

from attrs import define, evolve, field, frozen
from msgspec.structs import replace

from ...application.notifications.notification import MessageText
from ...application.notifications.ports import MessageTemplates
from ...domain.actor import Actor, Role
from ...domain.payment import PaymentMethod
from .clock import DEFAULT_DATE, VirtualClock, time_at
from .day import Day, DayOrder
from .dispatch_plan import Step, StepAction
from .placement import customer_of, placement
from .run_day import OrderClient

PLACE, PREPARE, ASSIGN, SEND_OUT = StepAction.PLACE, StepAction.PREPARE, StepAction.ASSIGN, StepAction.SEND_OUT
LEFT: Mapping[str, tuple[tuple[StepAction, int], ...]] = {
    "late-1": ((PLACE, 62), (PREPARE, 61), (ASSIGN, 48), (SEND_OUT, 41)),
    "late-2": ((PLACE, 57), (PREPARE, 55), (ASSIGN, 44), (SEND_OUT, 36)),
    "late-3": ((PLACE, 21),),
    "new-1": ((PLACE, 24), (PREPARE, 23), (ASSIGN, 9), (SEND_OUT, 5)),
    "new-2": ((PLACE, 9), (PREPARE, 8)),
    "parked-1": ((PLACE, 4), (PREPARE, 3)),
}
"""The steps of each order that is left, in minutes before the end. Those that are late say so in their id."""
PARKED = "parked-1"
MINUTE = 60


@define(eq=False)
class FailingTemplates:
    """Writes messages as ``templates`` do, but none about the orders that it fails for."""

    templates: MessageTemplates
    fails_for: set[str] = field(factory=set)

    def __call__(self, role: Role, values: Mapping[str, str], *, event_type: str) -> MessageText:
        if values["order"] in self.fails_for:
            raise LookupError(f"no text for {event_type} (planted by the demo; a redrive will find one)")
        return self.templates(role, values, event_type=event_type)


@frozen(kw_only=True)
class LeftOrder:
    """An order that is left: where it goes, and its steps with their times."""

    order: DayOrder
    steps: tuple[Step, ...]


def left_orders(day: Day, end: int) -> tuple[LeftOrder, ...]:
    """Return the orders that are left ``end`` seconds after midnight: to places that have ordered during the day."""
    left = []
    for number, (name, steps) in enumerate(LEFT.items(), start=1):
        like = day.orders[-number % len(day.orders)]
        courier = day.couriers[-number % len(day.couriers)].id if day.couriers else "courier"
        placed = end - steps[0][1] * MINUTE
        order = replace(like, id=name, placed_at=placed / MINUTE, ready_at=placed / MINUTE)
        left.append(LeftOrder(order=order, steps=tuple(_steps(order, steps, courier, end))))
    return tuple(left)


def _steps(order: DayOrder, steps: tuple[tuple[StepAction, int], ...], courier: str, end: int) -> list[Step]:
    actors = {
        PLACE: Actor(Role.CUSTOMER, customer_of(order)),
        PREPARE: Actor(Role.RESTAURANT, order.restaurant),
        ASSIGN: Actor(Role.SHIPPER, courier),
        SEND_OUT: Actor(Role.SHIPPER, courier),
    }
    return [
        Step(
            at=end - minutes * MINUTE,
            order_id=order.id,
            number=number,
            action=action,
            actor=actors[action],
            shipper_id=courier if action in (ASSIGN, SEND_OUT) else None,
        )
        for number, (action, minutes) in enumerate(steps, start=1)
    ]


async def leave(left: LeftOrder, client: OrderClient, *, day: Day, clock: VirtualClock, currency: str) -> None:
    """Execute the steps of ``left`` at their times, in a task of its own."""
    new = placement(day, left.order, currency=currency)

    async def execute() -> None:
        for step in left.steps:
            clock.set(time_at(DEFAULT_DATE, step.at))
            await client.execute(step, new)
            if step.action is PLACE and new.payment_method is not PaymentMethod.CASH:
                await client.execute(evolve(step, action=StepAction.PAY), new)

    await asyncio.create_task(execute())
