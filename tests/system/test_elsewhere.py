"""The example in another language keeps its effect once for each event, killed and delivered anew."""

import asyncio
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from orderflow import OrderFlow
from orderflow.entrypoints.processes import run_parts

from tests.doors.entrypoints.test_embedded import lived, pizzas, placed
from tests.support.kafka import KafkaBroker, distribution
from tests.support.process import OwnProcess
from tests.support.servers import obtain
from tests.support.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "Revenue.java"
SECONDS = 180


def reading(folder: Path, kafka: KafkaBroker, topic: str, group: str) -> OwnProcess:
    """The example, which keeps its books in that folder."""
    command = obtain(lambda: distribution.command(str(EXAMPLE), heap="96m"))
    asked = [kafka.bootstrap_servers, topic, group, str(folder / "books.json")]
    return OwnProcess([*command, *asked], folder / "revenue.log", environment=dict(os.environ))


def books(folder: Path) -> dict[str, Any]:
    """Return the rows that the example has stored so far."""
    file = folder / "books.json"
    if not file.exists():
        return {"orders": {}, "revenue": {}}
    kept: dict[str, Any] = json.loads(file.read_text(), parse_float=Decimal)
    return kept


async def trade(flow: OrderFlow, day: str) -> dict[str, int]:
    """Orders that are delivered and orders that are cancelled, at different prices; the events of each."""
    for number in range(4):
        await placed(flow, f"{day}-kept-{number}", lines=pizzas(1, f"1{number}.10"))
        await placed(flow, f"{day}-lost-{number}", lines=pizzas(3, "9.99"))
        await flow.cancel_order(f"{day}-lost-{number}", "rain")
    await lived(flow, f"{day}-lived")
    kept = {f"{day}-kept-{number}": 1 for number in range(4)}
    return {**kept, **{f"{day}-lost-{number}": 3 for number in range(4)}, f"{day}-lived": 7}


async def test_a_consumer_in_java_counts_every_event_once_through_a_kill_and_a_second_delivery(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    kafka.create_topic(topic_name)
    stop = asyncio.Event()
    settings = {"kafka_bootstrap_servers": kafka.bootstrap_servers, "topic": topic_name}
    first, again = (reading(tmp_path, kafka, topic_name, group) for group in ("killed", "anew"))
    try:
        async with OrderFlow.open(f"sqlite:///{tmp_path}/shop.db", **settings) as flow:
            relaying = asyncio.create_task(run_parts(flow.container, relay=True, stop=stop))
            expected = await trade(flow, "monday")
            first.start()
            await kept_by(first, tmp_path, expected)
            expected |= await trade(flow, "tuesday")
            first.kill()

            again.start()  # as a group that Kafka knows nothing of: all of it is delivered once more
            await kept_by(again, tmp_path, expected)

            stop.set()
            flow.container.news().notify()
            await relaying
        again.stop()
    finally:
        first.kill()
        again.kill()
    per_day = sum(Decimal(f"1{number}.10") for number in range(4)) + Decimal("25.00")
    assert books(tmp_path)["revenue"] == {"EUR": 2 * per_day}
    assert again.last_words().endswith("stopped"), "a program that is asked to stop leaves its group in order"


async def kept_by(program: OwnProcess, folder: Path, expected: dict[str, int]) -> None:
    """Wait until the books have come to the last event of each of these orders."""

    def done() -> bool:
        assert program.running, program.last_words()
        kept = books(folder)["orders"]
        return {order: kept.get(order, {}).get("sequence") for order in expected} == expected

    await asyncio.to_thread(eventually, done, deadline=SECONDS, that="the program has counted every event")


@pytest.mark.parametrize("page", ["consumers-elsewhere.md"])
def test_the_guide_quotes_the_example(page: str) -> None:
    """``tests/project/docs/test_docs.py`` holds each quotation to the example; here, that there is one."""
    text = (EXAMPLE.parents[1] / "docs" / page).read_text(encoding="utf-8")

    assert "```java" in text
