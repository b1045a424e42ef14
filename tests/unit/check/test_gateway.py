"""The payment gateway's own list is compared with the attempts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from orderflow import Actor, ConfirmationNeeded, GatewayPayment, GatewayResponse, GatewayUnavailable, OrderFlow
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.payment_gateway.sandbox import CONFIRM_NEVER
from orderflow.application.check import CheckReport
from orderflow.application.orders.gateway_calls import in_time
from orderflow.domain.money import Money

from tests.doors.entrypoints.test_embedded import placed


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
    class Gateway(SandboxGateway):
        async def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
            async for payment in super().payments(since=since):
                yield evolve(payment, **{moved: Money(Decimal(1), "EUR")})

    async with OrderFlow.open("memory://", gateway=Gateway()) as flow:
        await paid(flow, "O1")

        [found] = await differences(flow)

    assert f"the gateway has {moved} 1 EUR, and the attempts" in found


@pytest.mark.parametrize("trouble", [KeyError("4111111111111111"), "a payment", None])
async def test_a_list_that_fails_is_a_comparison_that_was_not_made(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception | str | None
) -> None:
    class Gateway(SandboxGateway):
        async def payments(self, *, since: datetime) -> AsyncIterator[Any]:
            if isinstance(trouble, Exception):
                raise trouble
            yield trouble or await asyncio.Event().wait()

    monkeypatch.setattr(in_time, "__defaults__", (0.01,))
    report = CheckReport()
    async with OrderFlow.open("memory://", gateway=Gateway()) as flow:
        with pytest.raises(GatewayUnavailable):
            await flow.container.check_gateway()(report, days=7)

    [comparison] = report.comparisons
    assert "gateway does not answer" in comparison.skipped
    assert "4111" not in comparison.skipped


async def test_a_look_up_that_fails_leaves_a_confirmation_unknown() -> None:
    class Gateway(SandboxGateway):
        async def find(self, **_: object) -> GatewayResponse | None:
            raise KeyError("4111111111111111")

    async with OrderFlow.open("memory://", gateway=Gateway()) as flow:
        await placed(flow, "O1", payment_method="card", card_token=CONFIRM_NEVER)
        with pytest.raises(ConfirmationNeeded):
            await flow.record_payment("O1")

        with pytest.raises(GatewayUnavailable, match="it failed: KeyError"):
            await flow.container.find_confirmation()(await flow.get_order("O1"), by=Actor.parse("admin:ann"))
