"""Money without an outcome and mail that cannot be sent are seen by every tool, and by the commands of an operator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define, evolve
from dependency_injector import providers
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.payment_gateway.sandbox import SUCCESS, VOID_DECLINE
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.webhooks.http_client import HttpWebhookClient, Limits
from orderflow.application.notifications.notification import Contact
from orderflow.application.orders.payment_attempts import GatewayResponse
from orderflow.domain.actor import Actor
from orderflow.domain.errors import GatewayUnavailable, GuardFailed
from orderflow.entrypoints.container import Container, container_for
from orderflow.entrypoints.http.bodies import PlaceOrder
from orderflow.entrypoints.http.read_body import read_body
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.testing.consumers.shop import HandClock
from orderflow.testing.consumers.webhook_receiver import Receiver, refuse, webhook_use_cases

from tests.support.commands import CommandLine, order_json
from tests.support.waiting import eventually_async

ADMIN = Actor.parse("admin:boss")


class Silent(SandboxGateway):
    """Captures, and loses every response after the authorization."""

    async def capture(self, **asked: Any) -> GatewayResponse:
        await super().capture(**asked)
        raise GatewayUnavailable("gateway", "no answer in time")

    async def find(self, **asked: Any) -> GatewayResponse | None:
        raise GatewayUnavailable("gateway", "no answer in time")


@define
class Installation:
    container: Container
    clock: HandClock
    cli: CommandLine

    async def create(self, order_id: str) -> None:
        body = read_body(order_json(order_id).encode(), PlaceOrder)
        await self.container.use_cases().create_order(body.order("EUR"), by=ADMIN)

    async def pay(self, order_id: str, token: str = SUCCESS, **asked: Any) -> None:
        use_cases = self.container.use_cases()
        body = order_json(order_id, paymentMethod="card", cardToken=token).encode()
        await use_cases.create_order(read_body(body, PlaceOrder).order("EUR"), by=ADMIN)
        await use_cases.record_payment(order_id, by=ADMIN, **asked)

    async def findings(self) -> set[str]:
        examine = self.container.examine()
        report = await evolve(examine, observe=evolve(examine.observe, clock=self.clock))()
        return {finding.code for finding in report.findings}

    async def metrics(self) -> dict[str, float]:
        async def complete() -> dict[str, float] | None:
            text, _ = await self.container.scrape()()
            lines = (line.split() for line in text.decode().splitlines() if not line.startswith("#"))
            values = {name: float(value) for name, value in lines}
            return values if values[catalogue.DATABASE_UP.name] else None

        return await eventually_async(complete, that="the database answers in time")

    async def differences(self) -> list[str]:
        report = await self.container.check()()
        return [
            it.problem for each in report.comparisons if each.name.startswith("payments") for it in each.differences
        ]


@pytest.fixture
async def installation(sqlite_url: str) -> AsyncIterator[Installation]:
    clock = HandClock()
    settings = Settings(
        database_url=sqlite_url,
        poll_seconds=0.01,
        notification_channels=("email",),
        smtp_host="127.0.0.1",
        smtp_port=9,
        notification_attempts=2,
    )
    container = container_for(settings, clock=clock)
    container.gateway.override(providers.Object(Silent()))
    container.storage_clock.override(providers.Object(clock.of_storage))
    async with opened(container):
        yield Installation(container, clock, CommandLine(sqlite_url))


async def test_an_unanswered_capture_and_a_declined_refund_are_seen_until_they_are_resolved(
    installation: Installation,
) -> None:
    container = installation.container
    await installation.pay("paid-elsewhere", paid=True)
    await container.use_cases().cancel_order("paid-elsewhere", "no time", by=ADMIN)
    with pytest.raises(GatewayUnavailable):
        await installation.pay("silent")
    await container.use_cases().cancel_order("silent", "too slow", by=ADMIN)
    status = await container.observe()()

    found = await installation.findings()
    metrics = await installation.metrics()
    differences = await installation.differences()
    listed = await asyncio.to_thread(installation.cli.json, "payments", "list")
    resolve = ("payments", "resolve", "paid-elsewhere", "--by", "ann", "--reason", "paid back in cash")
    await asyncio.to_thread(installation.cli.json, *resolve)

    assert {"payments_unsettled", "refunds_declined"} <= found
    assert (status.payments.unsettled, status.payments.declined_refunds) == (1, 1)
    assert (metrics["orderflow_payment_attempts_unsettled"], metrics["orderflow_refunds_declined"]) == (1, 1)
    assert any("its refund was declined: nothing was captured" in it for it in differences)
    assert any("has no outcome" in it for it in differences)
    assert {it["orderId"]: it["status"] for it in listed} == {"paid-elsewhere": "declined", "silent": "requested"}
    assert "refunds_declined" not in await installation.findings()
    assert not any("refund" in it for it in await installation.differences())
    again = await asyncio.to_thread(installation.cli, *resolve)
    assert again.code == 3


async def test_an_authorization_of_a_cancelled_order_is_seen_until_it_is_released(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, authorize = installation.container, SandboxGateway.authorize

    async def cancel_meanwhile(gateway: SandboxGateway, **asked: Any) -> GatewayResponse:
        await container.use_cases().cancel_order("O1", "too slow", by=ADMIN)
        return await authorize(gateway, **asked)

    monkeypatch.setattr(SandboxGateway, "authorize", cancel_meanwhile)
    with pytest.raises(GuardFailed):
        await installation.pay("O1", VOID_DECLINE)
    found, differences = await installation.findings(), await installation.differences()
    metrics = await installation.metrics()
    listed = await asyncio.to_thread(installation.cli.json, "payments", "list")
    screen = await asyncio.to_thread(installation.cli, "status", "--interval", "0")
    resolve = ("payments", "resolve", "O1", "--by", "ann", "--reason", "released")
    await asyncio.to_thread(installation.cli.json, *resolve)

    assert "authorizations_held" in found
    assert metrics["orderflow_authorizations_held"] == 1
    assert differences == ["holds money on a card that nothing will capture"]
    assert [(it["key"], it["status"]) for it in listed] == [("O1:authorize:1", "held")]
    assert "1 authorization held" in screen.out
    assert "authorizations_held" not in await installation.findings()
    assert await installation.differences() == []


async def test_the_sandbox_behind_a_public_address_is_warned_of(sqlite_url: str) -> None:
    public = {"ORDERFLOW_HTTP_HOST": "0.0.0.0", "ORDERFLOW_PAYMENT_GATEWAY": "sandbox"}
    undecided = public | {"ORDERFLOW_PAYMENT_GATEWAY": ""}

    named = await asyncio.to_thread(CommandLine(sqlite_url, public), "--json", "doctor")
    unnamed = await asyncio.to_thread(CommandLine(sqlite_url, undecided), "--json", "doctor")

    assert "payment_gateway_sandbox" in {finding["code"] for finding in named.data["findings"]}
    assert "payment_gateway_sandbox" not in {finding["code"] for finding in unnamed.data["findings"]}


async def test_mail_that_cannot_be_sent_is_overdue_then_failed_and_resent_or_dropped(
    installation: Installation,
) -> None:
    container, cli = installation.container, installation.cli
    await container.effects().contacts.set(Contact(party="customer:C1", email="c1@example.org"))
    body = read_body(order_json("o1").encode(), PlaceOrder).order("EUR")
    await container.use_cases().create_order(body, by=ADMIN)
    stop = asyncio.Event()
    running = asyncio.create_task(run_parts(container, consumers=("notifications",), stop=stop))

    async def tried(attempts: int) -> bool:
        found = [it for it in await container.effects().notifications.of_orders(["o1"]) if it.channel == "email"]
        return [it.attempts for it in found] == [attempts]

    await eventually_async(lambda: tried(1))
    installation.clock.forward(seconds=0.5)
    before = await installation.findings()
    stop.set()
    await running
    installation.clock.forward(minutes=20)
    overdue = await installation.findings()
    metrics = await installation.metrics()
    await evolve(container.consumers()["notifications"], stopping=lambda: False).settle()
    failed = await installation.findings()
    listed = await asyncio.to_thread(cli.json, "notifications", "list", "--status", "failed")
    shown = await asyncio.to_thread(cli, "notifications", "show", "o1")
    note = ("--by", "ann", "--reason", "the server is back")
    resent = await asyncio.to_thread(
        CommandLine(cli.database_url, {"ORDERFLOW_NOTIFICATION_CHANNELS": "email"}).json,
        *("notifications", "resend", "o1", *note),
    )
    dropped = await asyncio.to_thread(cli.json, "notifications", "drop", "o1", "--to", "customer:C1", *note)
    changes = await asyncio.to_thread(cli.json, "maintenance")

    assert "notifications_overdue" not in before
    assert "notifications_overdue" in overdue
    assert metrics["orderflow_notifications_pending"] == 1
    assert metrics["orderflow_notifications_pending_seconds"] >= 1200
    assert "notifications_failed" in failed
    assert [(it["orderId"], it["recipient"], it["attempts"]) for it in listed] == [("o1", "customer:C1", 2)]
    assert listed[0]["detail"].startswith("given up after 2 attempts")
    assert "We have your order o1" in shown.out
    assert [(it["status"], it["attempts"]) for it in resent] == [("pending", 0)]
    assert [it["status"] for it in dropped] == ["dropped"]
    assert {it["kind"] for it in changes} == {"resend", "drop"}
    assert not {"notifications_overdue", "notifications_failed"} & await installation.findings()


async def test_webhooks_that_are_not_delivered_are_seen(installation: Installation) -> None:
    container, clock, note = installation.container, installation.clock, {"by": "ann", "reason": "a test"}
    async with Receiver(answer=refuse("500 Oops")) as receiver:
        _, change, _, _ = webhook_use_cases(container.storage(), container.effects(), clock)
        endpoint, _ = await change.add(receiver.url)
        await installation.create("o1")
        handle = container.handle_batch(container.consumers()["webhooks"])
        await handle(await container.storage().log.read(dict.fromkeys(range(256), 0), limit=10))
        sender = evolve(container.send_deliveries(), client=HttpWebhookClient(Limits(private=True), "orderflow/test"))
        await sender.follow(endpoint)
        await sender.send_due()
        clock.forward(minutes=61)

        overdue, metrics = await installation.findings(), await installation.metrics()
        [delivery] = await container.effects().webhooks.list(endpoint.id, limit=10)
        await container.effects().webhooks.settle([delivery.given_up(clock())], [], clock())
        await change.stop(endpoint.id, "it answered 410 Gone")
        afterwards = await installation.findings()
        await change.remove(endpoint.id, **note)

    assert "webhooks_overdue" in overdue
    assert metrics["orderflow_webhook_deliveries_pending"] == 1
    assert metrics["orderflow_webhook_deliveries_pending_seconds"] == 61 * 60
    assert metrics['orderflow_webhook_endpoints{state="enabled"}'] == 1
    assert {"webhooks_failed", "webhook_endpoint_stopped"} <= afterwards
    assert not {it for it in await installation.findings() if it.startswith("webhook")}
