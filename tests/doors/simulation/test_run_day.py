"""Orders are lived concurrently: each has the same events as alone, and a failure ends the run."""

import asyncio
from collections.abc import Mapping

import pytest
from attrs import define, field
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import IllegalTransition, StorageUnavailable
from orderflow.domain.lifecycle import OrderState
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.dispatch_plan import Step, StepAction, plan_day
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.run_day import WORKERS, InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.simulated import bodies_after_a_day

DAY = generate_day(40, 3)
BOSS = Actor(Role.ADMIN, "boss")


@define
class RecordingRunner:
    """Ends each order at its last step, yields to the other workers in each, and fails at one."""

    fails_at: int = -1
    ends_early: bool = False
    clock: VirtualClock = field(factory=VirtualClock)
    steps: list[Step] = field(factory=list)
    finished: int = 0
    cut_off: int = 0
    together: int = 0
    times: dict[tuple[str, int], set[str]] = field(factory=dict)

    async def execute(self, step: Step, order: NewOrder) -> OrderState:
        self.steps.append(step)
        number, before = len(self.steps), self.clock()
        self.together = max(self.together, len(self.steps) - self.finished)
        try:
            for _ in range(1 if number == self.fails_at else 20):
                await asyncio.sleep(0)
            if number == self.fails_at:
                raise StorageUnavailable("sqlite", "the disk is full")
            self.times[step.order_id, step.number] = {str(before), str(self.clock())}
            if self.ends_early and step.action is StepAction.ASSIGN:
                raise IllegalTransition(
                    order_id=order.order_id or "",
                    action="assign",
                    state=OrderState.CANCELLED,
                    allowed=(),
                    guard="",
                    unlock="",
                )
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        finally:
            self.finished += 1
        return {StepAction.DELIVER: OrderState.DELIVERED, StepAction.CANCEL: OrderState.CANCELLED}.get(
            step.action, OrderState.PREPARING
        )


@pytest.mark.parametrize("workers", [16, WORKERS, 10_000])
async def test_each_order_has_the_same_events_with_any_number_of_workers_in_memory(workers: int) -> None:
    alone = await bodies_after_a_day("memory://", DAY, workers=1)

    together = await bodies_after_a_day("memory://", DAY, workers=workers)

    assert together == alone
    assert len(alone) == len(DAY.orders)


async def test_one_worker_writes_the_same_log_every_time() -> None:
    logs = []
    for _ in range(2):
        clock = VirtualClock()
        container = container_for(Settings(database_url="memory://"), clock=clock)
        async with opened(container):
            await RunDay(InProcessOrderClient(container.use_cases()), VirtualPace(clock))(DAY)
            log = container.storage().log
            records = await log.read(dict.fromkeys(await log.heads(), 0), limit=100_000)
            logs.append([(*record.address, record.body) for record in records])

    assert logs[0] == logs[1]


async def test_every_worker_has_a_time_of_its_own() -> None:
    client = RecordingRunner()

    await RunDay(client, VirtualPace(client.clock), workers=16)(DAY)

    assert client.together == 16
    assert all(len(times) == 1 for times in client.times.values())


async def test_the_steps_of_an_order_are_executed_in_their_sequence() -> None:
    client = RecordingRunner()

    result = await RunDay(client, VirtualPace(client.clock), workers=16)(DAY)

    by_order: Mapping[str, list[int]] = {order.id: [] for order in DAY.orders}
    for step in client.steps:
        by_order[step.order_id].append(step.number)
    assert all(numbers == sorted(numbers) for numbers in by_order.values())
    assert result.steps == result.planned == len(client.steps)


async def test_an_order_that_the_service_has_ended_does_not_end_the_run() -> None:
    client = RecordingRunner(ends_early=True)

    result = await RunDay(client, VirtualPace(client.clock), workers=16)(DAY)

    assigned = {step.order_id for step in plan_day(DAY) if step.action is StepAction.ASSIGN}
    assert result.ended_early == assigned
    assert all(outcome.state.terminal for outcome in result.outcomes.values())


async def test_an_order_that_a_person_has_moved_on_is_left_to_them() -> None:
    clock = VirtualClock()
    container = container_for(Settings(database_url="memory://"), clock=clock, simulated=True)
    taken = DAY.orders[0].id

    @define
    class WithPerson:
        client: InProcessOrderClient

        async def execute(self, step: Step, order: NewOrder) -> OrderState:
            if step.order_id == taken and step.action is StepAction.ASSIGN:
                await container.use_cases().assign_shipper(order.order_id, "S9", by=BOSS)
                await container.use_cases().transition_order_state(order.order_id, OrderState.ON_THE_WAY, by=BOSS)
            return await self.client.execute(step, order)

    async with opened(container):
        client = WithPerson(InProcessOrderClient(container.use_cases()))
        result = await RunDay(client, VirtualPace(clock), workers=16, people=True)(DAY)

    assert result.taken_over == {taken}
    assert [id_ for id_, outcome in result.outcomes.items() if not outcome.state.terminal] == [taken]


@pytest.mark.parametrize("fails_at", [1, 37])
async def test_a_failure_of_one_worker_is_raised_and_no_further_step_begins(fails_at: int) -> None:
    client = RecordingRunner(fails_at=fails_at)

    with pytest.raises(StorageUnavailable, match="the disk is full"):
        await RunDay(client, VirtualPace(client.clock), workers=16)(DAY)

    begun = len(client.steps)
    assert begun < fails_at + 16
    assert (client.finished, client.cut_off) == (begun, 0)
    await asyncio.sleep(0)
    assert len(client.steps) == begun
