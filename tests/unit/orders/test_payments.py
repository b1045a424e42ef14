"""Card payments: every attempt is stored before it is asked for, and money never moves twice."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from dependency_injector import providers
from orderflow import OrderFlow
from orderflow.adapters.memory.payment_attempts import MemoryPaymentAttempts
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.payment_gateway.sandbox import (
    CONFIRM,
    CONFIRM_FAILS,
    CONFIRM_NEVER,
    DECLINE,
    INSUFFICIENT_FUNDS,
    REFUND_DECLINE,
    REFUND_FAILS_LATER,
    REFUND_LATER,
    SUCCESS,
    TIME_OUT,
    TIME_OUT_ONCE,
    VOID_DECLINE,
)
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.gateway_calls import in_time
from orderflow.application.orders.payment_attempts import (
    AttemptKind,
    AttemptStatus,
    GatewayResponse,
    OutstandingPayments,
    PaymentAttempt,
    contradiction,
)
from orderflow.domain.actor import Actor
from orderflow.domain.errors import (
    ConcurrentChange,
    ConfirmationNeeded,
    GatewayUnavailable,
    GuardFailed,
    InvalidInput,
    NotPermitted,
    OrderFlowError,
    OrderNotFound,
    StorageUnavailable,
    VersionMismatch,
)
from orderflow.domain.events import OrderLine, PaymentProcessed
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import Payment, PaymentMethod, PaymentStatus
from orderflow.domain.refund import RefundBearer, Refunds, RefundStep
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.testing.consumers.shop import HandClock

from tests.doors.entrypoints.test_embedded import placed

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

    async def now(self) -> Order:
        return await self.ask.get_order("O1", by=ADMIN)

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

    assert cancelled.payment.refunds.requested == TOTAL.amount
    assert (await till.now()).payment.status is PaymentStatus.REFUNDED
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


async def test_a_charge_is_recorded_although_its_asker_may_not_any_more(
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
    assert str(refused.value).endswith("next states from waiting_for_shipper: preparing, cancelled")


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


class LosingGateway(SandboxGateway):
    """Carries out each request of a kind and loses its response, until it is ``well``."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = set(kinds)

    async def authorize(self, **asked: Any) -> GatewayResponse:
        return self._lose("authorize", await super().authorize(**asked))

    async def capture(self, **asked: Any) -> GatewayResponse:
        return self._lose("capture", await super().capture(**asked))

    async def refund(self, **asked: Any) -> GatewayResponse:
        return self._lose("refund", await super().refund(**asked))

    async def find(self, **asked: Any) -> GatewayResponse | None:
        if "find" in self.kinds:
            raise GatewayUnavailable("gateway", "away")
        return await super().find(**asked)

    def _lose(self, kind: str, answer: GatewayResponse) -> GatewayResponse:
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
    voided = [] if meanwhile == "assign" else [(AttemptKind.VOID, AttemptStatus.SUCCEEDED)]
    assert await till.attempts() == [(AttemptKind.AUTHORIZE, AttemptStatus.SUCCEEDED), *voided]
    assert len(till.gateway.voided) == len(voided)


async def test_an_authorization_whose_response_was_lost_is_voided_after_a_cancel() -> None:
    till = Till(gateway := LosingGateway("authorize"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)

    assert await till.attempts() == [
        (AttemptKind.AUTHORIZE, AttemptStatus.SUCCEEDED),
        (AttemptKind.VOID, AttemptStatus.SUCCEEDED),
    ]
    assert gateway.voided == ["O1:void:1"]
    assert list(gateway.moved) == ["O1:authorize:1"]


async def test_a_capture_whose_response_was_lost_is_refunded_before_a_cancel_ends() -> None:
    till = Till(gateway := LosingGateway("capture"))
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
    till = Till(gateway := LosingGateway("capture", "find"))
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


async def test_a_capture_whose_response_was_lost_is_recorded_without_another_request() -> None:
    till = Till(LosingGateway("capture"))
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


async def test_a_charge_of_yesterday_is_looked_up_and_not_sent_again_with_a_key_that_may_be_forgotten() -> None:
    till = Till(gateway := LosingGateway("authorize"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)
    sent: list[Any] = []
    gateway.authorize = lambda **asked: sent.append(asked)  # type: ignore[method-assign,assignment,return-value]

    till.clock.forward(hours=23)
    paid = await till.ask.record_payment("O1", by=CUSTOMER)

    assert paid.payment.status is PaymentStatus.PAID
    assert sent == []


async def test_a_hundred_refunds_without_a_response_do_not_block_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till(gateway := LosingGateway("refund"))
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

    monkeypatch.setattr(LosingGateway, "refund", answered)
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
    assert ("the gateway failed: " if answer else "it returned NoneType and no GatewayResponse") in attempt.detail
    assert "4111" not in attempt.detail
    assert "O2:refund" in till.gateway.moved


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda: "yes", "it returned str and no GatewayResponse"),
        (lambda: None, "it returned NoneType and no GatewayResponse"),
        (lambda: GatewayResponse(True, None), "it failed: TypeError"),  # type: ignore[arg-type]
        (lambda: {}["4111111111111111"], "it failed: KeyError"),
    ],
)
async def test_a_gateway_that_answers_rubbish_or_fails_is_unavailable_and_its_charge_is_looked_up(
    till: Till, monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any], problem: str
) -> None:
    async def authorize(*_: object, **__: object) -> Any:
        return answer()

    await till.order()
    monkeypatch.setattr(SandboxGateway, "authorize", authorize)
    with pytest.raises(GatewayUnavailable, match=problem) as failed:
        await till.ask.record_payment("O1", by=CUSTOMER)

    [attempt] = await till.container.storage().attempts.of_order("O1")
    assert (attempt.status, attempt.tries) == (AttemptStatus.REQUESTED, 1)
    assert "4111" not in f"{failed.value} {attempt.detail}"


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


def by_card(status: PaymentStatus, requested: int = 0, declined: int = 0, paid_back: int = 0) -> Payment:
    refunds = Refunds(requested=Decimal(requested), declined=Decimal(declined), paid_back=Decimal(paid_back))
    return Payment(method=PaymentMethod.CREDIT_CARD, card_token="tok", status=status, refunds=refunds)


PENDING, PAID = by_card(PaymentStatus.PENDING), by_card(PaymentStatus.PAID)
EARLIER = by_card(PaymentStatus.REFUNDED)
CAPTURED = attempt(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED)
TAKEN_BACK = attempt(AttemptKind.REFUND, AttemptStatus.SUCCEEDED)
REFUND = {status: attempt(AttemptKind.REFUND, status, 0) for status in AttemptStatus}
FIVE = attempt(AttemptKind.REFUND, AttemptStatus.SUCCEEDED, 0, Money(Decimal(5), "USD"))


@pytest.mark.parametrize(
    ("payment", "attempts", "problem"),
    [
        (PAID, [CAPTURED, attempt(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED, 2)], "2 payments were"),
        (PENDING, [CAPTURED], "captured, but the order's payment is pending"),
        (EARLIER, [CAPTURED], "its payment is refunded, and no refund was requested"),
        (PAID, [CAPTURED, REFUND[AttemptStatus.SUCCEEDED]], "0 of it were refunded, but 20.00 USD at the gateway"),
        (PAID, [CAPTURED, REFUND[AttemptStatus.REQUESTED]], "for a refund of 0, and the gateway is asked for 20.00"),
        (by_card(PaymentStatus.PAID, requested=20), [CAPTURED], "refund of 20, and the gateway is asked for 0 USD"),
        (by_card(PaymentStatus.PAID, paid_back=6), [CAPTURED, FIVE], "6 of it were refunded, but 5 USD at the gateway"),
        (
            by_card(PaymentStatus.PAID, declined=20),
            [CAPTURED, REFUND[AttemptStatus.DECLINED]],
            "its refund was declined: card closed",
        ),
        (
            PAID,
            [attempt(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED, amount=Money(Decimal(1), "USD"))],
            "an attempt is not of the order's total 20.00 USD",
        ),
    ],
)
def test_attempts_that_contradict_their_order_are_found(
    payment: Payment, attempts: list[PaymentAttempt], problem: str
) -> None:
    assert problem in (contradiction(payment, TOTAL, attempts) or "")


@pytest.mark.parametrize(
    ("payment", "attempts"),
    [
        (PENDING, []),
        (PAID, []),
        (PAID, [CAPTURED]),
        (by_card(PaymentStatus.FAILED), [attempt(AttemptKind.AUTHORIZE, AttemptStatus.DECLINED)]),
        (by_card(PaymentStatus.REFUNDED, paid_back=20), [CAPTURED, REFUND[AttemptStatus.SUCCEEDED]]),
        (by_card(PaymentStatus.PAID, requested=20), [CAPTURED, REFUND[AttemptStatus.REQUESTED]]),
        (by_card(PaymentStatus.REFUNDED, paid_back=20), [CAPTURED, REFUND[AttemptStatus.RESOLVED]]),
        (by_card(PaymentStatus.PAID, paid_back=5), [CAPTURED, FIVE]),
        (EARLIER, [CAPTURED, REFUND[AttemptStatus.REQUESTED]]),
        (PENDING, [CAPTURED, TAKEN_BACK]),
    ],
)
def test_attempts_that_fit_their_order_are_none(payment: Payment, attempts: list[PaymentAttempt]) -> None:
    assert contradiction(payment, TOTAL, attempts) is None


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


# a payment that the customer confirms elsewhere


async def test_a_payment_to_confirm_gives_the_caller_the_secret_and_is_paid_when_asked_again(till: Till) -> None:
    await till.order(CONFIRM)

    with pytest.raises(ConfirmationNeeded) as needed:
        await till.ask.record_payment("O1", by=CUSTOMER)
    paid = await till.ask.record_payment("O1", by=CUSTOMER)

    assert needed.value.client_secret.startswith("secret_")
    assert "secret_" not in f"{needed.value} {needed.value!r} {needed.value.context()}"
    assert paid.payment.status is PaymentStatus.PAID
    assert till.gateway.moved == {"O1:authorize:1": TOTAL, "O1:capture:1": TOTAL}


async def test_a_payment_that_was_confirmed_is_captured_without_another_request(till: Till) -> None:
    await till.order(CONFIRM)
    with pytest.raises(ConfirmationNeeded):
        await till.ask.record_payment("O1", by=CUSTOMER)

    till.clock.forward(minutes=1)
    await till.ask.settle_payments()

    assert (await till.now()).payment.status is PaymentStatus.PAID


async def test_a_confirmation_that_fails_is_a_failed_payment(till: Till) -> None:
    await till.order(CONFIRM_FAILS)
    with pytest.raises(ConfirmationNeeded):
        await till.ask.record_payment("O1", by=CUSTOMER)

    till.clock.forward(minutes=1)
    await till.ask.settle_payments()

    assert (await till.now()).payment.status is PaymentStatus.FAILED
    assert await till.attempts() == [(AttemptKind.AUTHORIZE, AttemptStatus.DECLINED)]


async def test_a_payment_without_confirmation_is_voided_after_an_hour_and_raises_no_alert(till: Till) -> None:
    await till.order(CONFIRM_NEVER)
    with pytest.raises(ConfirmationNeeded):
        await till.ask.record_payment("O1", by=CUSTOMER)
    till.clock.forward(minutes=59)
    await till.ask.settle_payments()
    waiting = await till.outstanding(), list(till.gateway.voided)

    till.clock.forward(minutes=2, hours=1)
    await till.ask.settle_payments()

    assert waiting == (OutstandingPayments(), [])
    assert till.gateway.voided == ["O1:void:1"]
    assert await till.attempts() == [
        (AttemptKind.AUTHORIZE, AttemptStatus.DECLINED),
        (AttemptKind.VOID, AttemptStatus.SUCCEEDED),
    ]


async def test_a_cancelled_order_voids_a_payment_that_waits_for_its_customer(till: Till) -> None:
    await till.order(CONFIRM_NEVER)
    with pytest.raises(ConfirmationNeeded):
        await till.ask.record_payment("O1", by=CUSTOMER)

    await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)

    assert till.gateway.voided == ["O1:void:1"]
    assert till.gateway.moved == {}


async def test_an_authorization_that_cannot_be_voided_is_held_until_a_person_resolves_it(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.order(VOID_DECLINE)
    capture = SandboxGateway.capture

    async def away(*_: object, **__: object) -> GatewayResponse:
        raise GatewayUnavailable("gateway", "away")

    with monkeypatch.context() as outage:
        outage.setattr(SandboxGateway, "capture", away)
        with pytest.raises(GatewayUnavailable):
            await till.ask.record_payment("O1", by=CUSTOMER)
    assert SandboxGateway.capture is capture
    await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)
    till.clock.forward(hours=25)
    await till.ask.settle_payments()

    assert (await till.outstanding()).held == 1
    await till.container.resolve_refund()("O1", by="ann", reason="released")
    assert await till.outstanding() == OutstandingPayments()


# refunds


async def delivered(till: Till, token: str | None = SUCCESS) -> Order:
    await till.order(token)
    await till.ask.record_payment("O1", by=CUSTOMER if token else ADMIN)
    await till.ask.assign_shipper("O1", "S1", by=ADMIN)
    await till.ask.transition_order_state("O1", OrderState.ON_THE_WAY, by=ADMIN)
    return await till.ask.transition_order_state("O1", OrderState.DELIVERED, by=ADMIN)


async def test_a_part_of_a_delivered_order_is_refunded(till: Till) -> None:
    await delivered(till)

    await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.COURIER, by=ADMIN, amount=Decimal("5.50"))
    await till.ask.refund_order("O1", "late", borne_by=RefundBearer.PLATFORM, by=ADMIN)

    order = await till.now()
    assert (order.payment.status, order.refunded) == (PaymentStatus.REFUNDED, TOTAL)
    moved = [money.amount for key, money in till.gateway.moved.items() if "refund" in key]
    assert moved == [Decimal("5.50"), Decimal("14.50")]


@pytest.mark.parametrize("error", [StorageUnavailable("storage", "it is away"), ConcurrentChange("O1", 9)])
async def test_a_refund_that_is_stored_is_no_error_and_made_later_if_the_storage_fails_then(
    till: Till, monkeypatch: pytest.MonkeyPatch, error: OrderFlowError
) -> None:
    await delivered(till)

    async def failing(*_: object) -> list[PaymentAttempt]:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(MemoryPaymentAttempts, "of_order", failing)
        asked = await till.ask.refund_order(
            "O1", "cold", borne_by=RefundBearer.COURIER, by=ADMIN, amount=Decimal("5.50")
        )
    till.clock.forward(minutes=1)
    await till.ask.settle_payments()

    assert asked.payment.refunds.requested == Decimal("5.50")
    assert (await till.now()).refunded == Money(Decimal("5.50"), "USD")


async def test_a_line_is_refunded_by_its_food(till: Till) -> None:
    await delivered(till)

    with pytest.raises(InvalidInput, match="'F9' is not in the order; allowed: F1"):
        await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.COURIER, by=ADMIN, food_id="F9")
    with pytest.raises(InvalidInput, match=r"above the lines' 20\.00 USD"):
        await till.ask.refund_order(
            "O1", "cold", borne_by=RefundBearer.COURIER, by=ADMIN, food_id="F1", amount=Decimal(21)
        )
    asked = await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.COURIER, by=ADMIN, food_id="F1")

    assert asked.payment.refunds.requested == TOTAL.amount


async def test_cash_is_handed_back_without_a_gateway(till: Till) -> None:
    await delivered(till, None)

    await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.RESTAURANT, by=ADMIN, amount=Decimal(5))

    assert (await till.now()).refunded == Money(Decimal(5), "USD")
    assert await till.attempts() == []


async def test_a_refund_that_the_provider_decides_later_is_asked_for_until_it_is_made(till: Till) -> None:
    await delivered(till, REFUND_LATER)

    await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN)
    before = await till.now()
    till.clock.forward(minutes=1)
    await till.ask.settle_payments()

    assert (before.payment.status, before.payment.refunds.requested) == (PaymentStatus.PAID, TOTAL.amount)
    assert (await till.now()).payment.status is PaymentStatus.REFUNDED


async def test_a_declined_refund_shows_and_is_asked_for_again_under_a_new_key(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.order(REFUND_DECLINE)
    await till.ask.record_payment("O1", by=CUSTOMER)
    await till.ask.cancel_order("O1", "late", by=ADMIN)
    declined = await till.now()
    monkeypatch.setattr(SandboxGateway, "refund", _always_made)

    [again] = await till.container.repeat_refund()("O1", by="ann", reason="the bank corrected it")

    assert declined.payment.refunds.declined == TOTAL.amount
    assert declined.payment.status is PaymentStatus.PAID
    assert (again.status, again.key) == (AttemptStatus.SUCCEEDED, "O1:refund:event:7")
    assert (await till.now()).payment.status is PaymentStatus.REFUNDED
    assert await till.outstanding() == OutstandingPayments()


async def _always_made(*_: object, key: str, **__: object) -> GatewayResponse:
    return GatewayResponse(True, f"ref_{key}")


async def test_a_declined_refund_that_a_person_paid_back_is_refunded(till: Till) -> None:
    await till.order(REFUND_DECLINE)
    await till.ask.record_payment("O1", by=CUSTOMER)
    await till.ask.cancel_order("O1", "late", by=ADMIN)

    await till.container.resolve_refund()("O1", by="ann", reason="bank transfer")

    assert (await till.now()).payment.status is PaymentStatus.REFUNDED
    assert await till.outstanding() == OutstandingPayments()
    attempts = await till.container.storage().attempts.of_order("O1")
    assert contradiction((await till.now()).payment, TOTAL, attempts) is None


async def test_a_refund_that_fails_days_after_it_was_made_is_found_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, both = SandboxGateway.find, asyncio.Barrier(2)

    async def find_together(gateway: SandboxGateway, **asked: Any) -> GatewayResponse | None:
        await both.wait()
        return await find(gateway, **asked)

    monkeypatch.setattr(SandboxGateway, "find", find_together)
    await delivered(till, REFUND_FAILS_LATER)
    await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN)
    made = await till.now()

    early = await till.ask.look_up_refunds()
    till.clock.forward(days=1)
    found = await asyncio.gather(till.ask.look_up_refunds(), till.ask.look_up_refunds())
    [*_, last] = await till.ask.timeline("O1", by=ADMIN)

    order = await till.now()
    [refund] = [a for a in await till.container.storage().attempts.of_order("O1") if a.kind is AttemptKind.REFUND]
    assert (made.payment.status, early, sorted(found)) == (PaymentStatus.REFUNDED, 0, [0, 1])
    assert (order.payment.status, order.payment.refunds) == (PaymentStatus.PAID, Refunds(declined=TOTAL.amount))
    assert isinstance(last.event, PaymentProcessed)
    assert last.event.refund is RefundStep.FAILED
    assert (refund.status, refund.detail) == (
        AttemptStatus.DECLINED,
        "it failed after it was made: lost_or_stolen_card",
    )
    assert await till.outstanding() == OutstandingPayments(declined_refunds=1)


async def test_a_made_refund_is_looked_up_for_a_month_and_waits_for_a_gateway_that_is_away(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await delivered(till)
    await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN)
    asked: list[str] = []
    away = True

    async def find(*_: object, key: str, **__: object) -> GatewayResponse | None:
        asked.append(key)
        if away:
            raise GatewayUnavailable("gateway", "away")
        return GatewayResponse(True, "ref_1")

    monkeypatch.setattr(SandboxGateway, "find", find)
    till.clock.forward(days=1)
    for _ in range(2):
        await till.ask.look_up_refunds()
    while_away, away = len(asked), False
    for _ in range(40 * 24):
        till.clock.forward(hours=1)
        await till.ask.look_up_refunds()

    assert (while_away, len(asked)) == (1, 1 + 5)
    assert (await till.now()).payment.status is PaymentStatus.REFUNDED


async def test_two_processes_that_settle_one_refund_record_it_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    await delivered(till)
    refund, inside, go_on = SandboxGateway.refund, asyncio.Event(), asyncio.Event()

    async def away(*_: object, **__: object) -> GatewayResponse:
        raise GatewayUnavailable("gateway", "away")

    async def slow(gateway: SandboxGateway, **asked: Any) -> GatewayResponse:
        response = await refund(gateway, **asked)
        inside.set()
        await go_on.wait()
        return response

    async def ask(amount: int) -> None:
        await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, amount=Decimal(amount))

    with monkeypatch.context() as outage:
        outage.setattr(SandboxGateway, "refund", away)
        await ask(5)
    till.clock.forward(hours=1)
    with monkeypatch.context() as slowness:
        slowness.setattr(SandboxGateway, "refund", slow)
        first = asyncio.create_task(till.ask.settle_payments())
        await inside.wait()
    second = await till.ask.settle_payments()
    with monkeypatch.context() as outage:
        outage.setattr(SandboxGateway, "refund", away)
        await ask(5)
        go_on.set()
        await first

    assert second == 1
    assert (await till.now()).refunded == Money(Decimal(5), "USD")
    assert (await till.now()).payment.refunds.requested == 5


class Odd(SandboxGateway):
    """Answers with text that no database can store, and far too much of it."""

    async def capture(self, **asked: Any) -> GatewayResponse:
        return evolve(await super().capture(**asked), detail="ok \udcff\0" + "x" * 10_000)


async def test_any_text_of_a_gateway_is_stored_with_the_payment_that_it_is_about(sqlite_url: str) -> None:
    async with OrderFlow.open(sqlite_url, gateway=Odd()) as flow:
        await placed(flow, "O1", payment_method="card", card_token=SUCCESS)

        paid = await flow.record_payment("O1")
        attempts = await flow.container.storage().attempts.of_order("O1")

    assert paid.payment.status is PaymentStatus.PAID
    assert attempts[-1].detail.startswith("ok \\udcff\\0xx")
    assert len(attempts[-1].detail) < 1100


async def test_a_void_whose_response_was_lost_is_settled_although_its_authorization_is_seen_as_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    till = Till(gateway := LosingGateway("authorize"))
    await till.order(CONFIRM_NEVER)
    void = SandboxGateway.void
    voided: list[str] = []

    async def lost_twice(it: SandboxGateway, *, authorization: str, key: str) -> GatewayResponse:
        answer = await void(it, authorization=authorization, key=key)
        it._waiting["O1:authorize:1"] = GatewayResponse(False, authorization, "canceled")
        voided.append(authorization)
        if len(voided) < 3:
            raise GatewayUnavailable("gateway", "no answer in time")
        return answer

    monkeypatch.setattr(SandboxGateway, "void", lost_twice)
    gateway.kinds.clear()
    with pytest.raises(ConfirmationNeeded):
        await till.ask.record_payment("O1", by=CUSTOMER)
    await till.ask.cancel_order("O1", "too slow", by=CUSTOMER)

    for _ in range(3):
        till.clock.forward(hours=1)
        await till.ask.settle_payments()

    assert await till.attempts() == [
        (AttemptKind.AUTHORIZE, AttemptStatus.DECLINED),
        (AttemptKind.VOID, AttemptStatus.SUCCEEDED),
    ]
    assert len(set(voided)) == 1


@pytest.mark.parametrize("meanwhile", ["cancel", "refund"])
async def test_a_late_response_to_a_capture_that_was_recorded_refunds_nothing_more(
    till: Till, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    await till.order()
    capture = SandboxGateway.capture
    calls: list[int] = []

    async def twice(gateway: SandboxGateway, **asked: Any) -> GatewayResponse:
        calls.append(1)
        if len(calls) == 1:  # the customer has pressed the button again before this response comes
            await till.ask.record_payment("O1", by=CUSTOMER)
            if meanwhile == "cancel":
                await till.ask.cancel_order("O1", "changed my mind", by=CUSTOMER)
            else:
                await till.ask.refund_order("O1", "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN)
        return await capture(gateway, **asked)

    monkeypatch.setattr(SandboxGateway, "capture", twice)

    with pytest.raises(GuardFailed):
        await till.ask.record_payment("O1", by=CUSTOMER)

    assert [key for key in till.gateway.moved if ":refund" in key] == [
        "O1:refund" if meanwhile == "cancel" else "O1:refund:event:3"
    ]
    assert (await till.now()).payment.status is PaymentStatus.REFUNDED
    assert (await till.outstanding()).declined_refunds == 0


async def test_a_payment_elsewhere_is_not_recorded_while_the_card_may_have_been_charged() -> None:
    till = Till(gateway := LosingGateway("capture", "find"))
    await till.order()
    with pytest.raises(GatewayUnavailable):
        await till.ask.record_payment("O1", by=CUSTOMER)

    with pytest.raises(GatewayUnavailable, match="may have charged the card"):
        await till.ask.record_payment("O1", by=ADMIN, paid=True)
    gateway.kinds.clear()
    with pytest.raises(GuardFailed, match="the card was charged"):
        await till.ask.record_payment("O1", by=ADMIN, paid=True)

    assert (await till.now()).payment.status is PaymentStatus.PAID
    assert [key for key in gateway.moved if ":refund" in key] == []


@pytest.mark.parametrize("during", ["authorize", "capture"])
async def test_a_card_whose_order_is_paid_elsewhere_meanwhile_is_released_or_refunded(
    till: Till, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    await till.order()
    call = getattr(SandboxGateway, during)

    async def pay_elsewhere_first(gateway: SandboxGateway, **asked: Any) -> GatewayResponse:
        # By another process, which has looked for charges before there was one.
        await till.ask.settle_payments.change_order(
            "O1", lambda order: order.record_payment(paid=True, by=ADMIN, at=till.clock()), by=ADMIN
        )
        answer: GatewayResponse = await call(gateway, **asked)
        return answer

    monkeypatch.setattr(SandboxGateway, during, pay_elsewhere_first)

    if during == "authorize":
        await till.ask.record_payment("O1", by=CUSTOMER)
    else:
        with pytest.raises(GuardFailed):
            await till.ask.record_payment("O1", by=CUSTOMER)

    assert (await till.now()).payment.status is PaymentStatus.PAID
    assert till.gateway.moved.get("O1:capture:1") == till.gateway.moved.get("O1:refund:1")
    assert till.gateway.voided == (["O1:void:1"] if during == "authorize" else [])
