"""Webhooks as operators see them: check, trace and status show what was sent, what waits, and what is missing."""

import sqlite3
from contextlib import closing

from orderflow import OrderFlow
from orderflow.application.health.status import status_of
from orderflow.application.webhooks.endpoint import WEBHOOKS
from orderflow.domain.actor import Actor
from orderflow.entrypoints.cli.status_screen import screen
from orderflow.entrypoints.traced_order import trace_data
from orderflow.testing.consumers.webhook_receiver import Receiver, refuse
from rich.console import Console

from tests.doors.entrypoints.test_embedded import placed
from tests.support.waiting import eventually_async

NOTE = {"by": "ann", "reason": "a test"}
BOSS = Actor.parse("admin:boss")
NAME = "webhooks: each event has its delivery at each endpoint, in sequence per order"


async def found(flow: OrderFlow) -> tuple[list[str], list[str]]:
    """The differences of webhooks, and all notes."""
    report = await flow.container.check()()
    [comparison] = [it for it in report.comparisons if it.name == NAME]
    assert comparison.compared > 0
    return [f"{it.where}: {it.problem}" for it in comparison.differences], report.notes


async def test_check_trace_and_status_show_deliveries_and_what_is_wrong(sqlite_url: str) -> None:
    async with (
        Receiver() as accepting,
        Receiver(refuse("500 Oops")) as refusing,
        OrderFlow.open(sqlite_url, consumers=[WEBHOOKS], webhook_private_addresses=True) as flow,
    ):
        change = flow.container.change_endpoints()
        one, accepting.secret = await change.add(accepting.url)
        other, refusing.secret = await change.add(refusing.url, types=["order.created", "order.cancelled"])
        await placed(flow, "O1")
        await flow.transition_order_state("O1", "preparing")
        await flow.cancel_order("O1", "late")

        async def all_sent() -> bool:
            sent = {(it.endpoint_id, it.status.value, it.attempts > 0) for it in await webhooks.of_orders(["O1"])}
            return sent == {(one.id, "delivered", True), (other.id, "pending", True), (other.id, "waiting", False)}

        webhooks = flow.container.effects().webhooks
        await eventually_async(all_sent, every=0.1, that="each delivery was tried")
        await change.disable(other.id, **NOTE)

        traced = trace_data(await flow.container.trace_order()("O1", by=BOSS))["events"]
        status = status_of(await flow.container.observe()(), None, version="1")
        before, notes = await found(flow)
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("DELETE FROM webhook_deliveries WHERE endpoint_id = ? AND sequence = 2", (one.id,))
            connection.execute("UPDATE webhook_deliveries SET status = 'waiting' WHERE endpoint_id = ?", (other.id,))
        after, _ = await found(flow)

    assert [[it["status"] for it in event["webhooks"]] for event in traced] == [
        ["delivered", "pending"],
        ["delivered"],
        ["delivered"],
        ["delivered", "waiting"],
    ]
    assert traced[0]["webhooks"][0]["ms"] is not None
    assert traced[0]["webhooks"][1]["code"] == 500
    assert before == []
    assert f"webhook endpoint {other.id} is disabled (by an operator); its events wait in the log" in notes
    assert after == [
        f"order O1, event 2, endpoint {one.id}: it has no delivery",
        f"order O1, event 1, endpoint {other.id}: its delivery is waiting, and should be pending",
    ]
    assert "webhooks    endpoints: 1 enabled, 1 disabled · 0 pending · 0 failed" in shown(status)


def shown(status: object) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(screen(status))  # type: ignore[arg-type]
    return capture.get()
