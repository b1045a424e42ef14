"""The promises that hold wherever a process dies: before and after every call of a storage, or of a payment gateway."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from ..adapters.memory import MemoryStorage
from ..application.event_log.records import unread
from ..application.orders.change_order import ChangeOrder
from ..application.orders.create_order import CreateOrder, NewOrder
from ..application.orders.group_commit import GroupCommit
from ..application.orders.payment_attempts import AttemptKind, AttemptStatus, contradiction
from ..application.orders.ports import PaymentGateway
from ..application.orders.unit_of_work import WriteSetUnitOfWork
from ..application.orders.use_cases import UseCases
from ..domain.errors import GatewayUnavailable, Unavailable
from ..domain.lifecycle import OrderState
from ..domain.order import Change, Order
from ..domain.payment import PaymentMethod, PaymentStatus
from ..entrypoints.container import container_for
from ..entrypoints.settings import Settings
from .clock import ManualClock
from .crash_points import GATEWAY, CrashPointFault, CrashPoints, EachOnce, NumberedCalls, ProcessDied
from .orders import ADMIN, AT, line

PROCESSES = 1_000
"""Processes that one life may need at most: two for each call."""
_NOW = AT + timedelta(minutes=1)
_NEXT: Mapping[OrderState, Callable[[Order], Change]] = {
    OrderState.WAITING_FOR_SHIPPER: lambda order: order.assign_shipper("S1", by=ADMIN, at=_NOW),
    OrderState.PREPARING: lambda order: order.send_out(by=ADMIN, at=_NOW),
    OrderState.ON_THE_WAY: lambda order: order.deliver(by=ADMIN, at=_NOW),
}


@pytest.mark.asyncio
class StorageCrashContract:
    """Subclassed with a fixture ``storage``, empty and open, which outlives the processes that use it."""

    @pytest.mark.parametrize("how", CrashPointFault)
    async def test_an_order_lives_on_wherever_its_process_ends(self, storage: Any, how: CrashPointFault) -> None:
        trouble = EachOnce([how])

        await _until_done(lambda: _order_lives(storage, CrashPoints(trouble)))

        order, history = await storage.views.get("O1"), await storage.log.history("O1")
        assert len(trouble.met) >= 4
        assert order.state is OrderState.DELIVERED
        assert [record.sequence for record in history] == list(range(1, order.version + 1))
        assert [record.type for record in history].count("order.delivered") == 1

    @pytest.mark.parametrize("how", CrashPointFault)
    async def test_a_reader_goes_on_wherever_its_process_ends(self, storage: Any, how: CrashPointFault) -> None:
        for number in range(3):
            await _order_lives(storage, CrashPoints(), f"O{number}")
        trouble, read = EachOnce([how]), list[tuple[str, int]]()

        await _until_done(lambda: _reads(storage, CrashPoints(trouble), read))

        assert len(trouble.met) >= 3
        for number in range(3):
            sequences = [sequence for order_id, sequence in read if order_id == f"O{number}"]
            assert sorted(set(sequences)) == list(range(1, len(await storage.log.history(f"O{number}")) + 1))
        assert dict(await storage.cursors.positions("reader")) == dict(await storage.log.heads())


@pytest.mark.asyncio
class PaymentGatewayCrashContract:
    """Subclassed with a fixture ``gateway``, which remembers, and with the token of a card that is ``approved``."""

    approved: ClassVar[str] = "tok_success"
    run: ClassVar[str] = ""

    @pytest.mark.parametrize("how", CrashPointFault)
    async def test_money_moves_once_wherever_the_process_ends(
        self, gateway: PaymentGateway, how: CrashPointFault
    ) -> None:
        storage, clock, trouble = MemoryStorage(), ManualClock(AT), EachOnce([how])
        order_id = f"crash-{how.name.lower()}{self.run}"

        async def life() -> None:
            clock.forward(minutes=20)  # every attempt is due again, and no request of an earlier process still runs
            crash_points = CrashPoints(trouble)
            container = container_for(
                Settings(database_url="memory://"),
                clock=clock,
                gateway=NumberedCalls(gateway, crash_points, "gateway", GATEWAY),
            )
            container.storage.override(storage)
            container.storage_clock.override(clock.of_storage)
            await _order_is_paid_and_given_back(container.use_cases(), crash_points, order_id, self.approved, clock)
            if any(it.status is AttemptStatus.REQUESTED for it in await storage.attempts.of_order(order_id)):
                raise GatewayUnavailable("gateway", "an attempt has no response yet")

        await _until_done(life)

        order, attempts = await storage.views.get(order_id), await storage.attempts.of_order(order_id)
        done = [attempt.kind for attempt in attempts if attempt.status is AttemptStatus.SUCCEEDED]
        assert len(trouble.met) >= 3
        assert (done.count(AttemptKind.CAPTURE), done.count(AttemptKind.REFUND)) == (1, 1)
        assert [attempt.status for attempt in attempts if attempt.status is AttemptStatus.REQUESTED] == []
        assert contradiction(order.payment, order.total, attempts) is None
        for attempt in attempts:
            found = await gateway.find(kind=attempt.kind, key=attempt.key, reference=attempt.reference)
            if attempt.status is AttemptStatus.SUCCEEDED:
                assert found is not None
                assert (found.approved, found.reference) == (True, attempt.reference)
            else:
                assert found is None or not found.approved


async def _until_done(process: Callable[[], Any]) -> None:
    """Start processes, one after the other, until one ends by itself."""
    for _ in range(PROCESSES):
        try:
            await process()
        except (ProcessDied, Unavailable):
            continue
        return
    raise AssertionError(f"{PROCESSES} processes did not get it done")


def _numbered(storage: Any, crash_points: CrashPoints) -> Mapping[str, NumberedCalls]:
    ports = ("committer", "views", "log", "cursors")
    return {name: NumberedCalls(getattr(storage, name), crash_points, name) for name in ports}


def _new(order_id: str, card_token: str | None = None) -> NewOrder:
    return NewOrder(
        customer_id="C1",
        restaurant_id="R1",
        lines=[line()],
        payment_method=PaymentMethod.CASH if card_token is None else PaymentMethod.CREDIT_CARD,
        card_token=card_token,
        order_id=order_id,
        currency="EUR",
    )


async def _order_lives(storage: Any, crash_points: CrashPoints, order_id: str = "O1") -> None:
    """Have an order delivered, whose earlier process may have come any far."""
    ports = _numbered(storage, crash_points)
    work = WriteSetUnitOfWork(committer=GroupCommit(ports["committer"]), read=ports["views"].get)
    change = ChangeOrder(work)
    await CreateOrder(work, lambda: AT, lambda: order_id)(_new(order_id), by=ADMIN)
    while (state := (await ports["views"].get(order_id)).state) is not OrderState.DELIVERED:
        await change(order_id, _NEXT[state], by=ADMIN)


async def _reads(storage: Any, crash_points: CrashPoints, read: list[tuple[str, int]]) -> None:
    """Follow the log to its end, and store the cursors after each batch."""
    ports = _numbered(storage, crash_points)
    while True:
        at = await ports["cursors"].positions("reader")
        heads = await ports["log"].heads()
        behind = unread(at, heads)
        if not behind:
            return
        records = await ports["log"].read(behind, limit=2)
        read += [(record.order_id, record.sequence) for record in records]
        await ports["cursors"].put("reader", {record.bucket: record.position for record in records})


async def _order_is_paid_and_given_back(
    use_cases: UseCases, crash_points: CrashPoints, order_id: str, token: str, clock: ManualClock
) -> None:
    """Charge a card and give it back, whose earlier process may have come any far."""
    crash_points.enter("settle")
    await use_cases.settle_payments()
    order = await use_cases.create_order(_new(order_id, token), by=ADMIN)
    if order.state is not OrderState.CANCELLED and order.payment.status is not PaymentStatus.PAID:
        crash_points.enter("pay")
        await use_cases.record_payment(order_id, by=ADMIN)
    crash_points.enter("cancel")
    await use_cases.cancel_order(order_id, "changed my mind", by=ADMIN)
    clock.forward(minutes=20)
    crash_points.enter("settle after all")
    await use_cases.settle_payments()
