"""Random payments, refunds and cancellations at the same time, against a provider with a ledger of its own.

Responses are lost before and after the provider has acted. In the end every attempt has an outcome, and the order says
what the ledger says: no money is taken, kept or given back that the order does not show.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from random import Random

import pytest
from attrs import define, field
from orderflow.application.orders.payment_attempts import AttemptKind, AttemptStatus, GatewayPayment, GatewayResponse
from orderflow.domain.errors import GatewayUnavailable, OrderFlowError
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentStatus
from orderflow.domain.refund import RefundBearer

from tests.unit.orders.test_payments import ADMIN, CUSTOMER, TOTAL, Till

SEEDS = range(120)
Command = Callable[[], Awaitable[object]]


@define
class LedgerPayment:
    """A payment of the ledger: ``state`` is needs, auth, declined, captured, failed or voided."""

    state: str
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)


@define
class Ledger:
    """A provider that does what it is asked, once for each key, and whose responses are lost until it is ``well``."""

    random: Random
    well: bool = False
    payments_: dict[str, LedgerPayment] = field(factory=dict)
    refunds: dict[str, tuple[str, str]] = field(factory=dict)
    """By key: the payment, and ok, pending or declined."""
    amounts: dict[str, Decimal] = field(factory=dict)

    async def authorize(self, *, order_id: str, card_token: str, amount: Money, key: str) -> GatewayResponse:
        await self._may_be_lost()
        if key not in self.payments_:
            self.payments_[key] = LedgerPayment(self.random.choices(["auth", "needs", "declined"], [6, 3, 1])[0])
        await self._may_be_lost()
        return self._authorization(key)

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        await self._may_be_lost()
        it = self.payments_[authorization]
        if it.state == "auth":
            it.state = self.random.choices(["captured", "failed"], [7, 1])[0]
            it.captured = amount.amount if it.state == "captured" else Decimal(0)
        await self._may_be_lost()
        return GatewayResponse(it.state == "captured", authorization, it.state)

    async def void(self, *, authorization: str, key: str) -> GatewayResponse:
        await self._may_be_lost()
        it = self.payments_[authorization]
        it.state = it.state if it.state == "captured" else "voided"
        await self._may_be_lost()
        return GatewayResponse(it.state == "voided", authorization, it.state)

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        await self._may_be_lost()
        if key not in self.refunds:
            self._decide(key, capture, self.random.choices(["ok", "pending", "declined"], [6, 2, 2])[0], amount.amount)
        await self._may_be_lost()
        return self._refund(key)

    async def find(self, *, kind: AttemptKind, key: str, reference: str = "") -> GatewayResponse | None:
        await self._may_be_lost()
        if kind is AttemptKind.REFUND:
            if key in self.refunds and self.refunds[key][1] == "pending":
                self._decide(key, self.refunds[key][0], self.random.choice(["ok", "ok", "declined"]), self.amounts[key])
            return self._refund(key) if key in self.refunds else None
        if (it := self.payments_.get(reference or key)) is None:
            return None
        if kind is AttemptKind.AUTHORIZE:
            return self._authorization(reference or key)
        return None if it.state in ("auth", "needs") else GatewayResponse(it.state == "captured", reference, it.state)

    async def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
        for _ in ():
            yield _

    def confirm(self) -> None:
        for it in self.payments_.values():
            it.state = self.random.choice(["auth", "declined"]) if it.state == "needs" else it.state

    async def _may_be_lost(self) -> None:
        for _ in range(self.random.choice([0, 0, 1, 3, 8])):
            await asyncio.sleep(0)
        if not self.well and self.random.random() < 0.15:
            raise GatewayUnavailable("ledger", "no response")

    def _authorization(self, key: str) -> GatewayResponse:
        state = self.payments_[key].state
        return GatewayResponse(state in ("auth", "captured"), key, state, state == "needs", client_secret="secret")

    def _decide(self, key: str, capture: str, state: str, amount: Decimal) -> None:
        self.refunds[key], self.amounts[key] = (capture, state), amount
        if state == "ok":
            self.payments_[capture].refunded += amount

    def _refund(self, key: str) -> GatewayResponse:
        state = self.refunds[key][1]
        return GatewayResponse(state == "ok", f"re:{key}", state, state == "pending")


@pytest.mark.parametrize("part", range(4))
async def test_in_the_end_the_order_says_what_the_ledger_says(part: int) -> None:
    wrong = {seed: problems for seed in SEEDS[part::4] if (problems := await _problems(Random(seed)))}

    assert wrong == {}


async def _problems(random: Random) -> list[str]:
    """Return what is wrong after a random life of one order."""
    ledger = Ledger(random)
    till = Till(ledger)  # type: ignore[arg-type]
    await till.order()
    elsewhere, by_hand = await _live(till, ledger, random)
    ledger.well = True
    for _ in range(30):
        till.clock.forward(hours=2)
        await till.ask.settle_payments()
    return await _compared(till, ledger, elsewhere, by_hand)


async def _live(till: Till, ledger: Ledger, random: Random) -> tuple[Decimal, Decimal]:
    """Run random commands, about half of them at the same time. Return what was paid elsewhere, and back by hand."""
    moved = {"elsewhere": Decimal(0), "by hand": Decimal(0)}

    async def pay_elsewhere() -> None:
        before = (await till.now()).version
        if (await till.ask.record_payment("O1", by=ADMIN, paid=True, expected_version=before)).version > before:
            moved["elsewhere"] += TOTAL.amount

    async def pay_back_by_hand() -> None:
        resolved = await till.container.resolve_refund()("O1", by="ann", reason="a bank transfer")
        moved["by hand"] += sum((a.amount.amount for a in resolved if a.kind is AttemptKind.REFUND), Decimal(0))

    async def refund(amount: str | None) -> None:
        part = None if amount is None else Decimal(amount)
        await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, amount=part)

    async def wait() -> None:
        till.clock.forward(minutes=random.choice([1, 30, 61]))
        ledger.confirm()

    pay: Command = lambda: till.ask.record_payment("O1", by=CUSTOMER)  # noqa: E731
    commands: list[Command] = [
        *[pay] * 5,
        *[wait] * 3,
        till.ask.settle_payments,
        lambda: till.ask.settle_payments("O1"),
        lambda: till.ask.cancel_order("O1", "too slow", by=CUSTOMER),
        lambda: refund("7.50"),
        lambda: refund(None),
        lambda: till.container.repeat_refund()("O1", by="ann", reason="again"),
        pay_back_by_hand,
        pay_elsewhere,
    ]

    async def tried(command: Command) -> None:
        with suppress(OrderFlowError):  # refused, or without a response
            await command()

    running = []
    for _ in range(random.randint(2, 12)):
        running.append(asyncio.ensure_future(tried(random.choice(commands))))
        if random.random() < 0.5:
            await running[-1]
    await asyncio.gather(*running)
    return moved["elsewhere"], moved["by hand"]


async def _compared(till: Till, ledger: Ledger, elsewhere: Decimal, by_hand: Decimal) -> list[str]:
    order, outstanding = await till.now(), await till.outstanding()
    attempts = await till.container.storage().attempts.of_order("O1")
    declined = sum(
        (a.amount.amount for a in attempts if a.kind is AttemptKind.REFUND and a.status is AttemptStatus.DECLINED),
        Decimal(0),
    )
    payments = ledger.payments_.values()
    kept = elsewhere + sum(it.captured - it.refunded for it in payments) - by_hand
    was_paid = order.payment.status in (PaymentStatus.PAID, PaymentStatus.REFUNDED)
    shown = (order.total.amount - order.refunded.amount if was_paid else 0) + declined - order.payment.refunds.declined
    open_ = order.state is not OrderState.CANCELLED and not was_paid
    return [
        *([f"{kept} is kept, and {shown} is shown"] if kept != shown else []),
        *(["more was refunded than captured"] if any(it.refunded > it.captured for it in payments) else []),
        *([f"unsettled: {outstanding}"] if outstanding.unsettled else []),
        *(["said to be held"] if outstanding.held else []),
        *(["held silently"] if not open_ and any(it.state in ("auth", "needs") for it in payments) else []),
    ]
