"""Card payments: every attempt is stored before it is asked for, and money never moves twice."""

from decimal import Decimal

import pytest
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.payment_gateway.sandbox import DECLINE, INSUFFICIENT_FUNDS, SUCCESS, TIME_OUT, TIME_OUT_ONCE
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.payment_attempts import AttemptKind, AttemptStatus, GatewayResponse
from orderflow.domain.actor import Actor
from orderflow.domain.errors import GatewayUnavailable, GuardFailed, NotPermitted, OrderNotFound
from orderflow.domain.events import OrderLine
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.entrypoints.container import Container
from orderflow.entrypoints.settings import Settings

CUSTOMER, ADMIN = Actor.parse("customer:C1"), Actor.parse("admin:boss")
TOTAL = Money(Decimal("20.00"), "USD")


class Till:
    """One installation in memory, with the gateway in sight."""

    def __init__(self) -> None:
        self.container = Container(settings=Settings(database_url="memory://"))
        self.gateway: SandboxGateway = self.container.gateway()
        self.ask = self.container.use_cases()

    async def order(self, token: str | None = SUCCESS) -> Order:
        line = OrderLine(food_id="F1", food_name="Soup", price=TOTAL, quantity=1, discount=Money(Decimal(0), "USD"))
        method = PaymentMethod.CASH if token is None else PaymentMethod.CREDIT_CARD
        new = NewOrder(
            customer_id="C1",
            restaurant_id="R1",
            lines=[line],
            payment_method=method,
            card_token=token,
            currency="USD",
            order_id="O1",
        )
        order: Order = await self.ask.create_order(new, by=CUSTOMER)
        return order

    async def attempts(self) -> list[tuple[str, str]]:
        return [(a.kind, a.status) for a in await self.container.storage().attempts.of_order("O1")]

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
    await till.ask.settle_refunds()

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
        assert await till.ask.settle_refunds() == 0

    assert cancelled.state is OrderState.CANCELLED
    assert "O1:refund" not in till.gateway.moved
    assert await till.ask.settle_refunds() == 1
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
