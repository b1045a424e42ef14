"""Handlers are typed to the events that they take: mypy --strict accepts those that fit, and no others."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end
TREE = Path(__file__).parents[3]
FITTING = """
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


async def main(delivered: OrderDelivered) -> None:
    await one(delivered)
    async with OrderFlow.open("memory://") as flow:
        flow.on(OrderDelivered, name="one")(one)

        @flow.on()
        async def all_events(event: OrderEvent) -> None:
            print(event.sequence)
"""
WRONG = """
from orderflow import OrderCreated, OrderDelivered, consumer


@consumer(OrderCreated)
async def other_event(event: OrderDelivered) -> None: ...


@consumer(OrderCreated, batch=True)
async def no_list(event: OrderCreated) -> None: ...


@consumer(OrderCreated)
async def has_a_result(event: OrderCreated) -> int:
    return 1


@consumer(OrderCreated, start="yesterday")
async def begins_nowhere(event: OrderCreated) -> None: ...
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of one run of mypy on both programs."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "orderflow").symlink_to(TREE / "src")  # as an installed package is next to a program
    programs = {"fitting.py": FITTING, "wrong.py": WRONG}
    for name, program in programs.items():
        (folder / name).write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", *programs],
        cwd=folder,
        env={"MYPYPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert (done.returncode, done.stderr) == (1, "")
    return done.stdout


def test_handlers_that_fit_their_events_need_no_assertion(checked: str) -> None:
    assert "fitting.py" not in checked, checked


def test_handlers_that_do_not_fit_are_found(checked: str) -> None:
    lines = {int(line.split(":")[1]) for line in checked.splitlines() if ": error:" in line}
    assert lines == {5, 9, 13, 18}, checked
