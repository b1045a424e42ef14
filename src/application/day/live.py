"""A planned day, lived: every step asked of the order service at its time."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Protocol

from attrs import define, field, frozen

from ...domain.errors import IllegalTransition
from ...domain.lifecycle import OrderState
from ...domain.payment import PaymentMethod
from ..orders.create_order import NewOrder
from ..orders.use_cases import UseCases
from .clock import DAY_DATE, VirtualClock, moment
from .day import Day
from .figures import Outcome
from .placement import placement
from .plan import Step, StepAction, plan_day


class OrderClient(Protocol):
    """The door that a day's steps go through: the use-cases themselves, or HTTP."""

    async def take(self, step: Step, order: NewOrder) -> OrderState:
        """Do ``step`` with ``order`` (its id is the service's); the state the order is in then.

        Raises IllegalTransition where the order has ended by itself, and any other OrderFlowError.
        """
        ...


@frozen
class UseCaseDoor:
    """The steps through the use-cases, in this process."""

    use_cases: UseCases

    async def take(self, step: Step, order: NewOrder) -> OrderState:
        ask, order_id, by = self.use_cases, order.order_id or "", step.actor
        match step.action:
            case StepAction.PLACE:
                return (await ask.create_order(order, by=by)).state
            case StepAction.PAY:
                return (await ask.record_payment(order_id, by=by)).state
            case StepAction.PREPARE:
                return (await ask.transition_order_state(order_id, OrderState.PREPARING, by=by)).state
            case StepAction.ASSIGN:
                return (await ask.assign_shipper(order_id, step.shipper_id or "", by=by)).state
            case StepAction.SEND_OUT:
                return (await ask.transition_order_state(order_id, OrderState.ON_THE_WAY, by=by)).state
            case StepAction.DELIVER:
                return (await ask.transition_order_state(order_id, OrderState.DELIVERED, by=by)).state
            case StepAction.CANCEL:
                return (await ask.cancel_order(order_id, step.reason or "", by=by)).state


class RateLimit(Protocol):
    async def until(self, second: int) -> None:
        """Return when it is ``second`` seconds after the day's midnight."""
        ...


@frozen
class VirtualPace:
    """As fast as it goes: it is any time as soon as somebody asks for it."""

    clock: VirtualClock
    date: date = DAY_DATE

    async def until(self, second: int) -> None:
        self.clock.set(moment(self.date, second))


@frozen
class ScaledPace:
    """``speed`` seconds of the day pass in a second; it begins at ``first`` seconds after midnight."""

    speed: float
    first: int
    now: Callable[[], float]
    started: float

    async def until(self, second: int) -> None:
        wait = self.started + (second - self.first) / self.speed - self.now()
        if wait > 0:
            await asyncio.sleep(wait)


@define
class LivedDay:
    """What came of it, by the day's order ids. ``overtaken`` orders ended by themselves (out of stock, say)."""

    outcomes: dict[str, Outcome] = field(factory=dict)
    overtaken: set[str] = field(factory=set)
    steps: int = 0
    planned: int = 0


@frozen
class LiveDay:
    """Lives the steps in the order of their times, with ``workers`` orders at once; each order's steps in sequence.

    With one worker the same day makes the same log, byte for byte. Raises what the door raises, at the first
    step that fails for another reason than that the order has ended by itself.
    """

    door: OrderClient
    pace: RateLimit
    workers: int = 1
    prefix: str | None = None
    progress: Callable[[int, int], None] = lambda done, of: None

    async def __call__(self, day: Day, *, currency: str = "USD") -> LivedDay:
        orders = {order.id: placement(day, order, prefix=self.prefix, currency=currency) for order in day.orders}
        lived = LivedDay()
        shares: Mapping[int, list[Step]] = defaultdict(list)
        share_of = {order_id: index % self.workers for index, order_id in enumerate(orders)}
        plan = plan_day(day, cards=_cards(orders))
        lived.planned = len(plan)
        for step in plan:
            shares[share_of[step.order_id]].append(step)
        await _all_or_the_first_failure([self._live(steps, orders, lived) for steps in shares.values()])
        return lived

    async def _live(self, steps: Sequence[Step], orders: Mapping[str, NewOrder], lived: LivedDay) -> None:
        placed: dict[str, int] = {}
        for step in steps:
            if step.order_id not in lived.overtaken:
                await self.pace.until(step.at)
                placed.setdefault(step.order_id, step.at)
                try:
                    state = await self.door.take(step, orders[step.order_id])
                except IllegalTransition as e:
                    state = OrderState(e.state)
                    if not state.terminal:
                        raise
                    lived.overtaken.add(step.order_id)
                lived.outcomes[step.order_id] = Outcome(
                    placed_at=placed[step.order_id],
                    ended_at=step.at if state.terminal else None,
                    state=state,
                    reason=(step.reason or "ended by itself") if state is OrderState.CANCELLED else None,
                )
            lived.steps += 1
            self.progress(lived.steps, lived.planned)


def _cards(orders: Mapping[str, NewOrder]) -> frozenset[str]:
    return frozenset(id_ for id_, order in orders.items() if order.payment_method is not PaymentMethod.CASH)


async def _all_or_the_first_failure(work: Sequence[Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
