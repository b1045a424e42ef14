"""Runs a planned day: executes every step against the order service at its time."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Protocol

from attrs import define, field, frozen

from ...application.orders.create_order import NewOrder
from ...application.orders.use_cases import UseCases
from ...domain.errors import CommandRefused, IllegalTransition, OrderNotFound
from ...domain.lifecycle import OrderState
from ...domain.payment import PaymentMethod
from .clock import DEFAULT_DATE, VirtualClock, time_at
from .day import Day
from .dispatch_plan import Step, StepAction, plan_day
from .figures import Outcome
from .placement import placement

WORKERS = 64
"""The orders that are processed concurrently by default, so many that they share most transactions."""
LAST_STEP_SECONDS = 5.0
"""The time in which the steps that have begun are finished when the run ends early."""


class OrderClient(Protocol):
    """Executes the steps of a plan, either in this process or over HTTP."""

    async def execute(self, step: Step, order: NewOrder) -> OrderState:
        """Execute ``step`` on ``order`` (whose id is the service's) and return the order's new state.

        Raises:
            IllegalTransition: if the service has ended the order already.
            OrderFlowError: for any other failure.
        """
        ...


@frozen
class InProcessOrderClient:
    """Calls the use-cases in this process."""

    use_cases: UseCases

    async def execute(self, step: Step, order: NewOrder) -> OrderState:
        use_cases, order_id, by = self.use_cases, order.order_id or "", step.actor
        match step.action:
            case StepAction.PLACE:
                return (await use_cases.create_order(order, by=by)).state
            case StepAction.PAY:
                return (await use_cases.record_payment(order_id, by=by)).state
            case StepAction.PREPARE:
                return (await use_cases.transition_order_state(order_id, OrderState.PREPARING, by=by)).state
            case StepAction.ASSIGN:
                return (await use_cases.assign_shipper(order_id, step.shipper_id or "", by=by)).state
            case StepAction.SEND_OUT:
                return (await use_cases.transition_order_state(order_id, OrderState.ON_THE_WAY, by=by)).state
            case StepAction.DELIVER:
                return (await use_cases.transition_order_state(order_id, OrderState.DELIVERED, by=by)).state
            case StepAction.CANCEL:
                return (await use_cases.cancel_order(order_id, step.reason or "", by=by)).state


class Pace(Protocol):
    """Decides when the next step is due."""

    async def until(self, second: int) -> None:
        """Return when it is ``second`` seconds after the day's midnight."""
        ...


@frozen
class VirtualPace:
    """Never waits: sets the virtual clock to the time of the step."""

    clock: VirtualClock
    date: date = DEFAULT_DATE

    async def until(self, second: int) -> None:
        self.clock.set(time_at(self.date, second))


@frozen
class ScaledPace:
    """Runs ``speed`` seconds of the day per second, starting ``first`` seconds after the day's midnight."""

    speed: float
    first: int
    now: Callable[[], float]
    started: float

    async def until(self, second: int) -> None:
        wait = self.started + (second - self.first) / self.speed - self.now()
        if wait > 0:
            await asyncio.sleep(wait)


@define
class DayResult:
    """Outcomes by the day's order ids.

    The orders in ``ended_early`` were ended by the service itself (out of stock, say) or by a person, and those in
    ``taken_over`` are left to the people who have moved them on.
    """

    outcomes: dict[str, Outcome] = field(factory=dict)
    ended_early: set[str] = field(factory=set)
    taken_over: set[str] = field(factory=set)
    steps: int = 0
    planned: int = 0


@frozen
class RunDay:
    """Execute the steps of a day in the order of their times.

    ``workers`` orders are processed concurrently, each order's steps in sequence, each worker at a virtual time of its
    own. So the events of one order are the same bytes in every run; with one worker, the whole log is. With ``people``,
    who act on the same orders meanwhile, an order that refuses a step is left to them.

    Raises:
        OrderFlowError: from the client, at the first step that fails, unless the service has ended the order already.
            No further step begins then, and those that have begun are finished.
    """

    client: OrderClient
    pace: Pace
    workers: int = 1
    prefix: str | None = None
    progress: Callable[[int, int], None] = lambda done, of: None
    people: bool = False

    async def __call__(self, day: Day, *, currency: str = "USD") -> DayResult:
        orders = {order.id: placement(day, order, prefix=self.prefix, currency=currency) for order in day.orders}
        plan = plan_day(day, cards=_paid_by_card(orders))
        result = DayResult(planned=len(plan))
        shares: Mapping[int, list[Step]] = defaultdict(list)
        share_of = {order_id: index % self.workers for index, order_id in enumerate(orders)}
        for step in plan:
            shares[share_of[step.order_id]].append(step)
        workers = _Workers()
        await workers.run([self._run(steps, orders, result, workers) for steps in shares.values()])
        return result

    async def _run(
        self, steps: Sequence[Step], orders: Mapping[str, NewOrder], result: DayResult, workers: "_Workers"
    ) -> None:
        placed: dict[str, int] = {}
        for step in steps:
            if step.order_id not in result.ended_early and step.order_id not in result.taken_over:
                with workers.waiting():
                    await self.pace.until(step.at)
                if workers.stopped:
                    return
                placed.setdefault(step.order_id, step.at)
                state = await self._execute(step, orders[step.order_id], result)
                result.outcomes[step.order_id] = Outcome(
                    placed_at=placed[step.order_id],
                    ended_at=step.at if state.terminal else None,
                    state=state,
                    reason=(step.reason or "by the service") if state is OrderState.CANCELLED else None,
                )
            result.steps += 1
            self.progress(result.steps, result.planned)

    async def _execute(self, step: Step, order: NewOrder, result: DayResult) -> OrderState:
        """Execute ``step`` and return the order's state, also if the order has gone another way already."""
        try:
            return await self.client.execute(step, order)
        except IllegalTransition as e:
            state = OrderState(e.state)
            if state.terminal:
                result.ended_early.add(step.order_id)
                return state
            if not self.people:
                raise
        except (CommandRefused, OrderNotFound):  # it is another shipper's now, who alone sees it
            if not self.people:
                raise
            state = result.outcomes[step.order_id].state
        result.taken_over.add(step.order_id)
        return state


def _paid_by_card(orders: Mapping[str, NewOrder]) -> frozenset[str]:
    return frozenset(id_ for id_, order in orders.items() if order.payment_method is not PaymentMethod.CASH)


@define(eq=False)
class _Workers:
    """Tasks that stop together: after a failure of one, or when the run is cancelled, none begins another step.

    A step that has begun is finished, because a payment that is cut off would have no outcome. Those that wait for the
    time of a step are cancelled at once, and the others after LAST_STEP_SECONDS.
    """

    stopped: bool = field(default=False, init=False)
    _tasks: list[asyncio.Task[None]] = field(factory=list, init=False)
    _waiting: set[asyncio.Task[None] | None] = field(factory=set, init=False)

    async def run(self, workers: Sequence[Coroutine[Any, Any, None]]) -> None:
        self._tasks = [asyncio.create_task(self._worker(worker)) for worker in workers]
        try:
            await asyncio.gather(*map(asyncio.shield, self._tasks))
        finally:
            await self._stop()

    async def _worker(self, worker: Coroutine[Any, Any, None]) -> None:
        try:
            await worker
        except BaseException:
            self.stopped = True
            raise

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, the current task waits for the time of its next step."""
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    async def _stop(self) -> None:
        self.stopped = True
        for task in self._waiting:
            if task is not None:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_STEP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
