"""Card payments: every attempt is stored before it is asked for, and money never moves twice."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from dependency_injector import providers
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.payment_gateway.sandbox import DECLINE, INSUFFICIENT_FUNDS, SUCCESS, TIME_OUT, TIME_OUT_ONCE
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.payment_attempts import (
    AttemptKind,
    AttemptStatus,
    GatewayResponse,
    OutstandingPayments,
    PaymentAttempt,
    contradiction,
    in_time,
)
from orderflow.domain.actor import Actor
from orderflow.domain.errors import GatewayUnavailable, GuardFailed, NotPermitted, OrderNotFound, VersionMismatch
from orderflow.domain.events import OrderLine
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings

from tests.support.shop import HandClock

CUSTOMER, ADMIN = Actor.parse("customer:C1"), Actor.parse("admin:boss")
TOTAL = Money(Decimal("20.00"), "USD")


class Till:
    """One installation in memory, with the gateway in sight."""

    def __init__(self, gateway: SandboxGateway | None = None) -> None:
        self.clock = HandClock()
        self.container = container_for(Settings(database_url="memory://"), clock=self.clock)
        if gateway is not None:
            self.container.gateway.override(providers.Object(gateway))
        self.gateway: SandboxGateway = self.container.gateway()
        self.ask = self.container.use_cases()

    async def order(self, token: str | None = SUCCESS, order_id: str = "O1") -> Order:
        line = OrderLine(food_id="F1", food_name="Soup", price=TOTAL, quantity=1, discount=Money(Decimal(0), "USD"))
        method = PaymentMethod.CASH if token is None else PaymentMethod.CREDIT_CARD
        new = NewOrder(
            customer_id="C1",
            restaurant_id="R1",
            lines=[line],
            payment_method=method,
            card_token=token,
            currency="USD",
            order_id=order_id,
        )
        order: Order = await self.ask.create_order(new, by=CUSTOMER)
        return order

    async def attempts(self) -> list[tuple[str, str]]:
        return [(a.kind, a.status) for a in await self.container.storage().attempts.of_order("O1")]

    async def outstanding(self) -> OutstandingPayments:
        found: OutstandingPayments = await self.container.storage().attempts.outstanding(self.clock())
        return found

    async def types(self) -> list[str]:
        return [d.event.type for d in await self.ask.timeline("O1", by=ADMIN)]


@pytest.fixture
def till() -> Till:
    return Till()


async def test_a_good_card_is_authorized_and_captured_once(till: Till) -> None:
    await till.order()

    paid = await till.ask.record_payment("O1", by=CUSTOMER)
    again = await till.ask.record_payment("O1", by=CUSTOMER)

    assert paid.payment.status is again.payment.status is PaymentStatus.PAID
    assert till.gateway.moved == {"O1:authorize:1": TOTAL, "O1:capture:1": TOTAL}
    assert (await till.types()).count("order.payment_processed") == 1


@pytest.mark.parametrize("token", [DECLINE, INSUFFICIENT_FUNDS])
async def test_a_declined_card_is_an_answer_and_may_be_tried_again_under_a_new_key(till: Till, token: str) -> None:
    await till.order(token)

    first = await till.ask.record_payment("O1", by=CUSTOMER)
    await till.ask.record_payment("O1", by=CUSTOMER)

    assert first.payment.status is PaymentStatus.FAILED
    assert till.gateway.moved == {}
    assert [a.key for a in await till.container.storage().attempts.of_order("O1")] == [
        "O1:authorize:1",
        "O1:authorize:2",
    ]


async def test_an_attempt_is_stored_before_the_gateway_is_asked(till: Till) -> None:
    await till.order(TIME_OUT)

    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    assert await till.attempts() == [(AttemptKind.AUTHORIZE, AttemptStatus.REQUESTED)]
    assert (await till.ask.get_order("O1", by=ADMIN)).payment.status is PaymentStatus.PENDING


async def test_an_attempt_without_an_answer_is_asked_again_with_the_same_key(till: Till) -> None:
    await till.order(TIME_OUT_ONCE)
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    paid = await till.ask.record_payment("O1", by=CUSTOMER)

    assert paid.payment.status is PaymentStatus.PAID
    assert sorted(till.gateway.moved) == ["O1:authorize:1", "O1:capture:1"]


async def test_cancelling_a_paid_order_gives_the_money_back_once(till: Till) -> None:
    await till.order()
    await till.ask.record_payment("O1", by=CUSTOMER)

    cancelled = await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)
    await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)
    await till.ask.settle_payments()

    assert cancelled.payment.status is PaymentStatus.REFUNDED
    assert till.gateway.moved["O1:refund"] == TOTAL
    assert (AttemptKind.REFUND, AttemptStatus.SUCCEEDED) in await till.attempts()


async def test_a_refund_that_finds_no_gateway_stays_promised_and_is_settled_later(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.order()
    await till.ask.record_payment("O1", by=CUSTOMER)

    async def away(*, capture: str, amount: Money, key: str) -> GatewayResponse:
        raise GatewayUnavailable("gateway", "away")

    with monkeypatch.context() as outage:
        outage.setattr(SandboxGateway, "refund", lambda _, **asked: away(**asked))
        cancelled = await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)
        assert await till.ask.settle_payments() == 0

    assert cancelled.state is OrderState.CANCELLED
    assert "O1:refund" not in till.gateway.moved
    till.clock.forward(minutes=1)
    assert await till.ask.settle_payments() == 1
    assert till.gateway.moved["O1:refund"] == TOTAL


async def test_money_captured_for_an_order_that_was_cancelled_meanwhile_is_given_back(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.order()
    capture = SandboxGateway.capture

    async def cancel_first(gateway: SandboxGateway, **asked: object) -> GatewayResponse:
        await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)
        return await capture(gateway, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(SandboxGateway, "capture", cancel_first)

    with pytest.raises(GuardFailed):
        await till.ask.record_payment("O1", by=CUSTOMER)

    assert till.gateway.moved["O1:refund:1"] == TOTAL
    assert (await till.ask.get_order("O1", by=ADMIN)).payment.status is PaymentStatus.PENDING


async def test_a_charge_is_told_although_its_asker_may_not_any_more(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.order()
    await till.ask.assign_shipper("O1", "S1", by=ADMIN)
    capture = SandboxGateway.capture

    async def replace_the_shipper_first(gateway: SandboxGateway, **asked: object) -> GatewayResponse:
        await till.ask.assign_shipper("O1", "S2", by=ADMIN)
        return await capture(gateway, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(SandboxGateway, "capture", replace_the_shipper_first)

    paid = await till.ask.record_payment("O1", by=Actor.parse("shipper:S1"))

    assert paid.payment.status is PaymentStatus.PAID


async def test_an_order_paid_outside_has_nothing_to_refund_at_the_gateway(till: Till) -> None:
    await till.order()
    await till.ask.record_payment("O1", by=ADMIN, paid=True)

    await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)

    assert till.gateway.moved == {}
    assert await till.attempts() == [(AttemptKind.REFUND, AttemptStatus.DECLINED)]


async def test_only_an_admin_says_how_a_card_payment_ended(till: Till) -> None:
    await till.order()

    with pytest.raises(NotPermitted) as refused:
        await till.ask.record_payment("O1", by=CUSTOMER, paid=True)

    assert "leave the outcome out" in refused.value.unlock


async def test_a_stranger_finds_no_order_to_pay(till: Till) -> None:
    await till.order()

    with pytest.raises(OrderNotFound):
        await till.ask.record_payment("O1", by=Actor.parse("customer:C2"))


async def test_cash_is_noted_without_asking_the_gateway(till: Till) -> None:
    await till.order(None)

    paid = await till.ask.record_payment("O1", by=Actor.parse("restaurant:R1"))

    assert paid.payment.status is PaymentStatus.PAID
    assert till.gateway.moved == {}
    assert await till.attempts() == []


class Losing(SandboxGateway):
    """Carries out each request of a kind and loses its response, until it is ``well``."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = set(kinds)

    async def authorize(self, **asked: Any) -> GatewayResponse:
        return self._answer("authorize", await super().authorize(**asked))

    async def capture(self, **asked: Any) -> GatewayResponse:
        return self._answer("capture", await super().capture(**asked))

    async def refund(self, **asked: Any) -> GatewayResponse:
        return self._answer("refund", await super().refund(**asked))

    async def find(self, **asked: Any) -> GatewayResponse | None:
        if "find" in self.kinds:
            raise GatewayUnavailable("gateway", "away")
        return await super().find(**asked)

    def _answer(self, kind: str, answer: GatewayResponse) -> GatewayResponse:
        if kind in self.kinds:
            raise GatewayUnavailable("gateway", "no answer in time")
        return answer


async def test_a_stale_version_charges_nothing(till: Till) -> None:
    await till.order()
    await till.ask.assign_shipper("O1", "S1", by=ADMIN)

    with pytest.raises(VersionMismatch):
        await till.ask.record_payment("O1", by=CUSTOMER, expected_version=1)

    assert till.gateway.moved == {}
    assert await till.attempts() == []


@pytest.mark.parametrize("meanwhile", ["assign", "cancel"])
async def test_what_changed_during_the_authorization_captures_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    order = await till.order()
    authorize = SandboxGateway.authorize

    async def change_first(gateway: SandboxGateway, **asked: Any) -> GatewayResponse:
        if meanwhile == "assign":
            await till.ask.assign_shipper("O1", "S1", by=ADMIN)
        else:
            await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)
        return await authorize(gateway, **asked)

    monkeypatch.setattr(SandboxGateway, "authorize", change_first)

    expected = order.version if meanwhile == "assign" else None
    with pytest.raises(VersionMismatch if meanwhile == "assign" else GuardFailed):
        await till.ask.record_payment("O1", by=CUSTOMER, expected_version=expected)

    assert list(till.gateway.moved) == ["O1:authorize:1"]
    status = AttemptStatus.SUCCEEDED if meanwhile == "assign" else AttemptStatus.HELD
    assert await till.attempts() == [(AttemptKind.AUTHORIZE, status)]


async def test_an_authorization_whose_response_was_lost_is_held_after_a_cancel() -> None:
    till = Till(gateway := Losing("authorize"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)

    assert await till.attempts() == [(AttemptKind.AUTHORIZE, AttemptStatus.HELD)]
    assert list(gateway.moved) == ["O1:authorize:1"]


async def test_a_capture_whose_response_was_lost_is_refunded_before_a_cancel_ends() -> None:
    till = Till(gateway := Losing("capture"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)

    assert gateway.moved["O1:refund:1"] == TOTAL
    assert await till.attempts() == [
        (AttemptKind.AUTHORIZE, AttemptStatus.SUCCEEDED),
        (AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED),
        (AttemptKind.REFUND, AttemptStatus.SUCCEEDED),
    ]


async def test_a_cancel_ends_without_the_gateway_and_the_lost_capture_is_refunded_later() -> None:
    till = Till(gateway := Losing("capture", "find"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    cancelled = await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)
    open_then = await till.outstanding()
    gateway.kinds.clear()
    till.clock.forward(hours=1)
    await till.ask.settle_payments()

    assert cancelled.state is OrderState.CANCELLED
    assert open_then.unsettled == 1
    assert gateway.moved["O1:refund:1"] == TOTAL
    assert await till.outstanding() == OutstandingPayments()


async def test_a_capture_whose_response_was_lost_is_recorded_although_nobody_asks_again() -> None:
    till = Till(Losing("capture"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    till.clock.forward(minutes=2)
    await till.ask.settle_payments()

    assert (await till.ask.get_order("O1", by=ADMIN)).payment.status is PaymentStatus.PAID


async def test_a_charge_that_never_reached_the_gateway_is_given_up_after_a_day(till: Till) -> None:
    await till.order(TIME_OUT)
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    for _ in range(3):
        await till.ask.settle_payments()
        till.clock.forward(hours=9)
    before = await till.attempts()
    await till.ask.settle_payments()

    assert before == [(AttemptKind.AUTHORIZE, AttemptStatus.REQUESTED)]
    assert await till.attempts() == [(AttemptKind.AUTHORIZE, AttemptStatus.DECLINED)]


async def test_a_hundred_refunds_without_a_response_do_not_block_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till(gateway := Losing("refund"))
    for number in range(101):
        await till.order(order_id=f"O{number}")
        await till.ask.record_payment(f"O{number}", by=CUSTOMER)
        await till.ask.cancel_order(f"O{number}", "changed my mind", by=CUSTOMER)
        till.clock.forward(seconds=1)
    refund = SandboxGateway.refund

    async def answered(_: SandboxGateway, *, key: str, **asked: Any) -> GatewayResponse:
        if key == "O100:refund":
            return await refund(gateway, key=key, **asked)
        raise GatewayUnavailable("gateway", "no answer in time")

    monkeypatch.setattr(Losing, "refund", answered)
    till.clock.forward(hours=1)

    settled = [await till.ask.settle_payments() for _ in range(2)]

    assert settled == [0, 1]
    assert (await till.outstanding()).unsettled == 100


@pytest.mark.parametrize("answer", [RuntimeError("4111111111111111"), None])
async def test_a_gateway_that_fails_in_another_way_does_not_block_the_next_refund(
    till: Till, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    refund = SandboxGateway.refund

    async def fails_for_one(gateway: SandboxGateway, *, key: str, **asked: Any) -> GatewayResponse | None:
        if key != "O1:refund":
            return await refund(gateway, key=key, **asked)
        if answer is not None:
            raise answer
        return None

    monkeypatch.setattr(SandboxGateway, "refund", fails_for_one)
    for order_id in ("O1", "O2"):
        await till.order(order_id=order_id)
        await till.ask.record_payment(order_id, by=CUSTOMER)
        cancelled = await till.ask.cancel_order(order_id, "late", by=ADMIN)
        assert cancelled.state is OrderState.CANCELLED
    till.clock.forward(hours=1)

    await till.ask.settle_payments()

    (attempt,) = [a for a in await till.container.storage().attempts.of_order("O1") if a.kind is AttemptKind.REFUND]
    assert (attempt.status, attempt.tries) == (AttemptStatus.REQUESTED, 2)
    assert attempt.detail.startswith("the gateway failed: ")
    assert "4111" not in attempt.detail
    assert "O2:refund" in till.gateway.moved


async def test_a_declined_refund_stays_in_sight(till: Till) -> None:
    await till.order()
    await till.ask.record_payment("O1", by=ADMIN, paid=True)

    await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)

    assert (await till.outstanding()).declined_refunds == 1


def attempt(kind: AttemptKind, status: AttemptStatus, number: int = 1, amount: Money = TOTAL) -> PaymentAttempt:
    return PaymentAttempt(
        key=f"O1:{kind}:{number}",
        order_id="O1",
        number=number,
        kind=kind,
        amount=amount,
        requested_at=HandClock().now,
        status=status,
        detail="card closed",
    )


CAPTURED = attempt(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED)
REFUNDED = attempt(AttemptKind.REFUND, AttemptStatus.SUCCEEDED)


@pytest.mark.parametrize(
    ("status", "attempts", "problem"),
    [
        (PaymentStatus.PAID, [CAPTURED, attempt(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED, 2)], "2 payments were"),
        (PaymentStatus.PENDING, [CAPTURED], "captured, but the order's payment is pending"),
        (PaymentStatus.REFUNDED, [CAPTURED], "nothing is refunded"),
        (PaymentStatus.PAID, [CAPTURED, REFUNDED], "it is paid, and a refund was requested"),
        (
            PaymentStatus.REFUNDED,
            [CAPTURED, attempt(AttemptKind.REFUND, AttemptStatus.DECLINED)],
            "its refund was declined: card closed",
        ),
        (
            PaymentStatus.PAID,
            [attempt(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED, amount=Money(Decimal(1), "USD"))],
            "an attempt is not of the order's total 20.00 USD",
        ),
    ],
)
def test_attempts_that_contradict_their_order_are_found(
    status: PaymentStatus, attempts: list[PaymentAttempt], problem: str
) -> None:
    assert problem in (contradiction(status, TOTAL, attempts) or "")


@pytest.mark.parametrize(
    ("status", "attempts"),
    [
        (PaymentStatus.PENDING, []),
        (PaymentStatus.PAID, []),
        (PaymentStatus.PAID, [CAPTURED]),
        (PaymentStatus.FAILED, [attempt(AttemptKind.AUTHORIZE, AttemptStatus.DECLINED)]),
        (PaymentStatus.REFUNDED, [CAPTURED, REFUNDED]),
        (PaymentStatus.REFUNDED, [CAPTURED, attempt(AttemptKind.REFUND, AttemptStatus.REQUESTED)]),
        (PaymentStatus.REFUNDED, [CAPTURED, attempt(AttemptKind.REFUND, AttemptStatus.RESOLVED)]),
        (PaymentStatus.PENDING, [CAPTURED, REFUNDED]),
    ],
)
def test_attempts_that_fit_their_order_are_none(status: PaymentStatus, attempts: list[PaymentAttempt]) -> None:
    assert contradiction(status, TOTAL, attempts) is None


async def test_a_gateway_that_never_answers_is_given_up_in_time_and_its_call_is_cancelled() -> None:
    cancelled: list[None] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(None)

    with pytest.raises(GatewayUnavailable, match=r"no response within 0\.01 s"):
        await in_time(hang(), 0.01)

    assert cancelled == [None]


async def test_every_call_of_the_gateway_has_a_deadline(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_time, "__defaults__", (0.01,))

    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    await till.order()
    monkeypatch.setattr(SandboxGateway, "authorize", hang)
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)
    monkeypatch.undo()
    monkeypatch.setattr(in_time, "__defaults__", (0.01,))
    monkeypatch.setattr(SandboxGateway, "find", hang)
    till.clock.forward(minutes=10)
    await till.ask.settle_payments()

    [attempt] = await till.container.storage().attempts.of_order("O1")
    assert attempt.status is AttemptStatus.REQUESTED
    assert (attempt.tries, "no response within" in attempt.detail) == (2, True)
