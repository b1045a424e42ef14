"""``orderflow consume NAME`` of a consumer of one's own, on a real Kafka: a group of its own, shared by two copies."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
from orderflow import OrderFlow

from tests.doors.entrypoints.test_embedded import placed
from tests.support.commands import CommandLine
from tests.support.kafka import KafkaBroker
from tests.support.process import OwnProcess
from tests.support.servers import free_port
from tests.support.stack import PROGRAM, Stack
from tests.support.waiting import eventually, eventually_async

SECONDS = 300
HANDLERS = """
import os
from pathlib import Path
from orderflow import OrderCreated, consumer

@consumer(OrderCreated)
def printer(event: OrderCreated) -> None:
    if event.order_id == "bad" and not Path(os.environ["SHOP_PAPER"]).exists():
        raise RuntimeError("no paper")
    with open(os.environ["SHOP_PRINTER"], "a") as file:
        file.write(event.order_id + "\\n")

@consumer(OrderCreated, start="now")
def late(event: OrderCreated) -> None:
    with open(os.environ["SHOP_PRINTER"], "a") as file:
        file.write(event.order_id + "\\n")
"""


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def copy_of(stack: Stack, name: str, doors: dict[str, int], consumer: str = "kitchen") -> OwnProcess:
    doors[name] = free_port()
    more: Mapping[str, str] = {
        "ORDERFLOW_OPS_PORT": str(doors[name]),
        "PYTHONPATH": str(stack.folder),
        "SHOP_PRINTER": str(stack.folder / f"{name}.txt"),
    }
    log = stack.folder / f"{name}.log"
    return OwnProcess((*PROGRAM, "consume", consumer), log, environment=stack.environment | more)


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_two_copies_share_the_work_and_one_goes_on_alone(
    kafka: KafkaBroker, topic_name: str, migrated_url: str, tmp_path: Path
) -> None:
    (tmp_path / "shop_handlers.py").write_text(HANDLERS)
    settings = {
        "ORDERFLOW_CONSUMERS": "kitchen=shop_handlers:printer",
        "ORDERFLOW_CONSUMER_ATTEMPTS": "2",
        "PYTHONPATH": str(tmp_path),
        "SHOP_PAPER": str(tmp_path / "paper"),
        "SHOP_PRINTER": str(tmp_path / "redriven.txt"),
    }
    stack = Stack(tmp_path, migrated_url, kafka.bootstrap_servers, topic_name, settings=settings)
    cli = CommandLine(migrated_url, {name: value for name, value in stack.environment.items() if "ORDERFLOW" in name})
    first, second = tmp_path / "one.txt", tmp_path / "two.txt"
    doors: dict[str, int] = {}
    copies = {name: copy_of(stack, name, doors) for name in ("one", "two")}
    many, later = [f"O{number}" for number in range(30)], [f"P{number}" for number in range(30)]

    def printed() -> list[str]:
        return sorted([*lines_of(first), *lines_of(second)])

    try:
        cli.json("topics", "create")
        stack.start("relay")
        for process in copies.values():
            process.start()
        eventually(lambda: all(map(is_ready, doors.values())), deadline=SECONDS, that="both copies are ready")
        eventually(lambda: both_have_partitions(cli), deadline=SECONDS, every=0.5, that="both have partitions")

        asyncio.run(place(migrated_url, [*many, "bad"]))
        eventually(lambda: printed() == sorted(many), deadline=SECONDS, that="each order is printed once")
        shared = lines_of(first), lines_of(second)
        parked = eventually(lambda: cli.json("dead-letters", "list", "kitchen")["parked"], deadline=SECONDS)
        copies["one"].kill()
        asyncio.run(place(migrated_url, later))
        eventually(lambda: {*many, *later} == set(printed()), deadline=SECONDS, that="the other copy goes on")
        lag = {each["reader"]: each for each in cli("--json", "lag", "--wait", "1").data}
        (tmp_path / "paper").touch()
        redriven = stack.run("dead-letters", "redrive", "kitchen", "--by", "ann", "--reason", "there is paper")
        copies["late"] = copy_of(stack, "late", doors, "late=shop_handlers:late")
        copies["late"].start()
        after = asyncio.run(place_until(migrated_url, lambda: len(lines_of(tmp_path / "late.txt")) > 5))
        eventually(lambda: after[-1] in lines_of(tmp_path / "late.txt"), deadline=SECONDS, that="it gets the last one")
        eventually(lambda: gapless(tmp_path / "late.txt", after), deadline=SECONDS, that="it gets all of them")
        findings = cli("--json", "doctor").data["findings"]
        metrics = httpx.get(f"http://127.0.0.1:{doors['two']}/metrics", timeout=180).text
    finally:
        for process in (*copies.values(), *stack.processes.values()):
            process.stop()

    assert all(shared)
    assert [each["record"]["orderId"] for each in parked] == ["bad"]
    assert lag["kitchen"]["events"] == 0
    assert redriven[0]["unparked"] == ["bad"]
    assert lines_of(tmp_path / "redriven.txt") == ["bad"]
    missing = [it["found"].split(":")[0] for it in findings if it["code"] == "consumer_missing"]
    assert sorted(missing) == ["analytics", "inventory", "notifications"]
    assert 'processed_messages_total{consumer="kitchen"' in metrics
    assert 'orderflow_process_part_stopped{process_part="kitchen"}' in metrics


def gapless(file: Path, placed: Sequence[str]) -> bool:
    """Return whether the handler was called once for each order from some moment on, and for none before."""
    called = lines_of(file)
    return sorted(called) == sorted(placed[-len(called) :])


def both_have_partitions(cli: CommandLine) -> bool:
    processes = cli("--json", "status").data["processes"]
    parts = [part for each in processes for part in each["parts"] if part["name"] == "kitchen"]
    return len([part for part in parts if part["partitions"]]) == 2


async def place(url: str, orders: Sequence[str]) -> None:
    async with OrderFlow.open(url) as flow:
        for order_id in orders:
            await placed(flow, order_id)


async def place_until(url: str, condition: Callable[[], bool]) -> Sequence[str]:
    """Place orders, one after the other, until the condition holds; return their ids in this order."""
    orders: list[str] = []
    async with OrderFlow.open(url) as flow:

        async def one_more() -> bool:
            orders.append(f"Q{len(orders):05}")
            await placed(flow, orders[-1])
            return condition()

        await eventually_async(one_more, deadline=SECONDS, that="the late consumer is called")
    return orders
