"""A day of deliveries through a production stack: every order ends, and every event is accounted for."""

import asyncio
from pathlib import Path

from orderflow.adapters.sql import SqlStorage

from tests.support.kafka import KafkaBroker
from tests.support.stack import Stack, production
from tests.support.waiting import eventually

ORDERS = 50
CONSUMERS = ("notifications", "analytics", "inventory")
PARTS = {"relay": ("relay",), "consumers": ("consume", *CONSUMERS)}
QUICK = {"ORDERFLOW_KAFKA_SESSION_TIMEOUT_MS": "3000"}
"""The wait of the process that takes over from a killed one."""
AN_EVENTFUL_DAY = ORDERS * 7


def _events(stack: Stack) -> int:
    """Count the events in the log."""

    async def count() -> int:
        storage = SqlStorage.at(stack.database_url, pool_size=1)
        try:
            return sum((await storage.log.heads()).values())
        finally:
            await storage.close()

    return asyncio.run(count())


def _reached(stack: Stack, share: float) -> None:
    """Wait until about this share of the day's events is in the log."""
    eventually(lambda: _events(stack) >= share * AN_EVENTFUL_DAY * 0.9, deadline=300, every=0.2, that=f"{share:.0%}")


def test_a_day_goes_on_while_relay_and_consumers_are_killed(
    tmp_path: Path, database_url: str, kafka: KafkaBroker, topic_name: str
) -> None:
    day = tmp_path / "day"
    with production(tmp_path, database_url, kafka.bootstrap_servers, topic_name, PARTS, **QUICK) as stack:
        run = stack.command_line.json
        run("simulate", "generate", day, "--orders", str(ORDERS), "--seed", "3")

        simulation = stack.begin("simulate", "run", str(day), "--speed", "max", "--wait", "120")
        for share, part in zip((0.2, 0.4), PARTS, strict=True):
            _reached(stack, share)
            stack.kill(part)
        outcome = simulation.wait(timeout=300)

        assert outcome == 0, (tmp_path / "simulate.out").read_text()
        checked = run("check", "--wait", "120")
        assert checked["clean"]
        assert [c["name"] for c in checked["report"]["comparisons"] if c["skipped"]] == []
        assert checked["report"]["notes"] == []
        orders = run("orders", "list", "--limit", "200")["orders"]
        assert len(orders) == ORDERS
        assert {order["state"] for order in orders} <= {"delivered", "cancelled"}
        validated = run("events", "validate", "--topic")
        assert validated["checked"] == sum(validated["byType"].values()) == _events(stack)
        assert validated["faults"] == []
        assert run("topics", "describe")["partitions"] == 3
        first = run("events", "tail", "--from-beginning", "--no-follow", "--limit", "1")
        assert set(first) == {"id", "type", "orderId", "userId", "data", "occurredAt", "version"}
        lags = run("lag", "--wait", "60")
        assert {lag["reader"]: lag["events"] for lag in lags} == dict.fromkeys(("relay", *CONSUMERS), 0)
