"""The payment gateway's own list is compared with the attempts."""

from decimal import Decimal

import pytest
from orderflow import OrderFlow
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.application.check import CheckReport
from orderflow.domain.money import Money

from tests.unit.entrypoints.test_embedded import placed


async def differences(flow: OrderFlow) -> list[str]:
    report = CheckReport()
    await flow.container.check_gateway()(report, days=7)
    [comparison] = report.comparisons
    return [f"{it.where} {it.problem}" for it in comparison.differences]


async def paid(flow: OrderFlow, order_id: str) -> SandboxGateway:
    await placed(flow, order_id, payment_method="card", card_token="tok_success")
    await flow.record_payment(order_id)
    gateway: SandboxGateway = flow.container.gateway()
    return gateway


async def test_payments_and_refunds_that_the_attempts_know_do_not_differ() -> None:
    async with OrderFlow.in_memory() as flow:
        await paid(flow, "O1")
        await paid(flow, "O2")
        await flow.refund_order("O1", "cold", borne_by="platform", amount=Decimal(1))
        await flow.cancel_order("O2", "late")

        assert await differences(flow) == []


async def test_a_payment_that_no_attempt_knows_is_found() -> None:
    async with OrderFlow.in_memory() as flow:
        gateway = await paid(flow, "O1")
        await gateway.authorize(order_id="O9", card_token="tok_success", amount=Money(Decimal(3), "EUR"), key="else")

        [found] = await differences(flow)

    assert "of order O9 is at the gateway, and no attempt knows it" in found


@pytest.mark.parametrize("moved", ["captured", "refunded"])
async def test_an_amount_that_differs_is_found(moved: str) -> None:
    async with OrderFlow.in_memory() as flow:
        gateway = await paid(flow, "O1")
        [attempt] = [a for a in await flow.container.storage().attempts.of_order("O1") if a.kind == "capture"]
        if moved == "refunded":
            await gateway.refund(capture=attempt.reference, amount=Money(Decimal(1), "EUR"), key="by hand")
        else:
            await gateway.capture(
                authorization=f"auth_{attempt.reference.removeprefix('cap_')}", amount=Money(Decimal(1), "EUR"), key="x"
            )

        [found] = await differences(flow)

    assert f"the gateway has {moved} 1 EUR, and the attempts" in found
