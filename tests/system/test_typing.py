"""Code of an application passes mypy --strict, and its mistakes are found: `# E:` names their codes."""

import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
KNOWN_TYPES = TREE / ".mypy_cache" / "application"
"""A cache of what mypy has read of orderflow and its libraries, for the next run."""
CHOICE = ("--strict", "--follow-imports=silent", "--no-error-summary", f"--cache-dir={KNOWN_TYPES}")
MYPY = (sys.executable, "-m", "mypy", *CHOICE)
SETTINGS = """
[mypy]
[mypy-stripe.*]
follow_imports = skip
"""
"""Of no concern to an application, and as large as all else that mypy reads."""
PROGRAMS = {
    "handlers_that_fit.py": """
from collections.abc import Sequence

from orderflow import OrderCancelled, OrderCreated, OrderDelivered, OrderEvent, OrderFlow, consumer


@consumer(OrderDelivered)
async def one(event: OrderDelivered) -> None:
    print(event.minutes)


@consumer(OrderDelivered, OrderCancelled, name="two")
def two(event: OrderDelivered | OrderCancelled) -> None:
    print(event.reason if isinstance(event, OrderCancelled) else event.minutes)


@consumer(OrderCreated, OrderDelivered, OrderCancelled, start="now")
def three(event: OrderCreated | OrderDelivered | OrderCancelled) -> None:
    print(event.order_id)


@consumer("order.created")
def by_name(event: OrderEvent) -> None:
    print(event.type)


@consumer(OrderDelivered, batch=True)
async def several(events: Sequence[OrderDelivered]) -> None:
    print(sum(event.minutes for event in events))


@consumer(OrderDelivered, batch=True)
def several_in_a_list(events: list[OrderDelivered]) -> None:
    print(events[0].minutes)


async def main(delivered: OrderDelivered) -> None:
    await one(delivered)
    async with OrderFlow.open("memory://") as flow:
        flow.on(OrderDelivered, name="one")(one)

        @flow.on()
        async def all_events(event: OrderEvent) -> None:
            print(event.sequence)
""",
    "handlers_that_do_not_fit.py": """
from orderflow import OrderCreated, OrderDelivered, consumer


@consumer(OrderCreated)  # E: arg-type
async def other_event(event: OrderDelivered) -> None: ...


@consumer(OrderCreated, batch=True)  # E: arg-type
async def no_list(event: OrderCreated) -> None: ...


@consumer(OrderCreated)  # E: type-var
async def has_a_result(event: OrderCreated) -> int:
    return 1


@consumer(OrderCreated, start="yesterday")  # E: call-overload untyped-decorator
async def begins_nowhere(event: OrderCreated) -> None: ...
""",
    "synchronous.py": """
from collections.abc import Sequence
from typing import assert_type

from orderflow import Delivery, Order, OrderCreated, OrderFlow, OrderLine, OrderPage, SyncOrderFlow
from sqlalchemy import Engine


def sell(flow: SyncOrderFlow, lines: Sequence[OrderLine], engine: Engine) -> None:
    order = flow.create_order(customer_id="C1", restaurant_id="R7", lines=lines, payment_method="cash")
    assert_type(order, Order)
    assert_type(flow.list_orders(), OrderPage)
    assert_type(flow.timeline(order.id), Sequence[Delivery])
    flow.create_order(customer_id=1)  # E: call-arg arg-type
    flow.get_order()  # E: call-arg
    flow.settled("soon")  # E: arg-type

    @flow.on(OrderCreated)
    def printed(event: OrderCreated) -> None:
        print(event.lines)

    with engine.begin() as connection, flow.joining(connection) as orders:
        assert_type(orders.cancel_order(order.id, "closed"), Order)
        orders.cancel_order(order.id)  # E: call-arg


def main() -> None:
    with OrderFlow.open_sync("sqlite:///shop.db") as flow:
        assert_type(flow, SyncOrderFlow)


async def joined(flow: OrderFlow, engine: Engine) -> Order:
    with engine.begin() as connection:
        async with flow.joining(connection) as orders:
            orders.cancel_order("O1")  # E: call-arg unused-coroutine
            return await orders.cancel_order("O1", "closed")
""",
}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """File, line and rest of each error that one run of mypy on all programs reports."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "installed").mkdir()
    (folder / "installed" / "orderflow").symlink_to(TREE / "src")  # as an installed package is next to a program
    (folder / "mypy.ini").write_text(SETTINGS, encoding="utf-8")
    for name, program in PROGRAMS.items():
        (folder / name).write_text(program, encoding="utf-8")
    done = subprocess.run(
        [*MYPY, *PROGRAMS],
        cwd=folder,
        env={"MYPYPATH": "installed", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert (done.returncode, done.stderr) == (1, "")
    return [line.split(":", 2) for line in done.stdout.splitlines() if ": error:" in line]


@pytest.mark.parametrize("name", PROGRAMS)
def test_mypy_finds_the_mistakes_and_nothing_else(errors: list[list[str]], name: str) -> None:
    expected = {
        (number, code)
        for number, line in enumerate(PROGRAMS[name].splitlines(), start=1)
        for code in line.partition("# E: ")[2].split()
    }

    found = {(int(line), rest.rpartition("[")[2].rstrip("]")) for file, line, rest in errors if file == name}

    assert found == expected, errors
