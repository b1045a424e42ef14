"""``OrderFlow.open_sync``: the same flow for applications without an event loop."""

import ast
import asyncio
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from orderflow import (
    CommandRefused,
    InvalidInput,
    NotConfigured,
    OrderEvent,
    OrderFlow,
    OrderNotFound,
    OrderState,
    SyncOrderFlow,
)
from orderflow.entrypoints.embedded_consumers import EmbeddedConsumers
from orderflow.entrypoints.joining import JoinedOrders
from orderflow.entrypoints.sync import SyncJoinedOrders

from tests.doors.entrypoints.test_embedded import pizzas

ONLY_ASYNC = {"open", "open_sync", "in_memory", "in_memory_sync", "http_app", "use_cases", "prices", "container"}
"""Names that open a flow, or are asynchronous by themselves."""
ONLY_SYNC = {"close"}
IMPORTS = """
import os, signal, sys, threading
from decimal import Decimal
from orderflow import Money, OrderFlow, OrderLine

price = Money(Decimal("12.50"), "EUR")
lines = [OrderLine(food_id="F1", food_name="Pizza", price=price, quantity=2, discount=Money.zero("EUR"))]
order = dict(customer_id="C1", restaurant_id="R7", lines=lines, currency="EUR")
"""


def placed(flow: SyncOrderFlow, order_id: str | None = None, **given: Any) -> str:
    order = {"customer_id": "C1", "restaurant_id": "R7", "lines": pizzas(), "currency": "EUR", **given}
    return flow.create_order(order_id=order_id, **order).id


def run(program: str, *arguments: str, deadline: float = 100.0) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, which has to end by itself."""
    return subprocess.run(
        [sys.executable, "-c", IMPORTS + program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=deadline,
    )


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(("sync", "origin"), [(SyncOrderFlow, OrderFlow), (SyncJoinedOrders, JoinedOrders)])
def test_it_offers_every_method_with_the_same_arguments_result_and_documentation(sync: type, origin: type) -> None:
    assert public(sync) - ONLY_SYNC == public(origin) - ONLY_ASYNC

    for name in public(sync) - ONLY_SYNC - {"joining", "on"}:
        one, other = getattr(sync, name), getattr(origin, name)
        assert inspect.signature(one).parameters == inspect.signature(other).parameters, name
        if name != "correlated":
            assert inspect.signature(one) == inspect.signature(other)
            assert not inspect.iscoroutinefunction(one)
        assert inspect.getdoc(one) == inspect.getdoc(other)


def test_opening_takes_what_the_asynchronous_one_takes() -> None:
    for sync, origin in ((OrderFlow.open_sync, OrderFlow.open), (OrderFlow.in_memory_sync, OrderFlow.in_memory)):
        assert inspect.signature(sync).parameters == inspect.signature(origin).parameters


def test_an_order_lives_without_an_event_loop() -> None:
    with OrderFlow.in_memory_sync() as flow:
        order_id = placed(flow)
        flow.assign_shipper(order_id, "S3")
        flow.transition_order_state(order_id, "on_the_way")

        assert flow.transition_order_state(order_id, "delivered").state is OrderState.DELIVERED
        assert [entry.event.type for entry in flow.timeline(order_id)][-1] == "order.delivered"
        with pytest.raises(CommandRefused):
            flow.cancel_order(order_id, "too late")
        with pytest.raises(OrderNotFound):
            flow.get_order("O2")


def test_calls_of_a_block_share_its_correlation_id() -> None:
    with OrderFlow.in_memory_sync(consumers=()) as flow:
        with flow.correlated("request-7"):
            inside = placed(flow)
        outside = placed(flow)

        assert flow.timeline(inside)[0].record.correlation_id == "request-7"
        assert flow.timeline(outside)[0].record.correlation_id not in ("", "request-7")


def test_threads_share_a_flow() -> None:
    with OrderFlow.in_memory_sync(consumers=()) as flow, ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda n: flow.get_order(placed(flow, f"O{n}")).id, range(100))]

        assert found == [f"O{n}" for n in range(100)]


def test_a_handler_is_a_plain_function_that_may_call_the_flow() -> None:
    with OrderFlow.in_memory_sync() as flow:
        restaurants = []

        @flow.on("order.created", name="kitchen")
        def ticket(event: OrderEvent) -> None:
            restaurants.append(flow.get_order(event.order_id).restaurant_id)

        placed(flow)
        flow.settled()

        assert restaurants == ["R7"]


def test_a_handler_that_fails_surfaces_and_is_redriven() -> None:
    with OrderFlow.in_memory_sync() as flow:
        paper: list[str] = []

        @flow.on("order.created", name="kitchen")
        def ticket(event: OrderEvent) -> None:
            if not paper:
                raise ValueError("no paper")

        placed(flow)
        with pytest.raises(ValueError, match="no paper"):
            flow.settled()
        paper.append("a roll")

        assert flow.redrive("kitchen", by="ann", reason="there is paper").events == 1


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        (lambda flow: flow.close(), "a handler cannot close the OrderFlow"),
        (lambda flow: next(iter(())), "the handler raised StopIteration"),
        (lambda flow: sys.exit(3), "the handler raised SystemExit 3"),
        (lambda _: asyncio.sleep(0), "returned a coroutine, which a synchronous flow does not await"),
    ],
    ids=["close", "next", "exit", "coroutine"],
)
def test_what_would_not_run_or_end_the_flow_fails_the_event(fail: Callable[[Any], Any], message: str) -> None:
    with OrderFlow.in_memory_sync(consumers=()) as flow:

        @flow.on("order.created", name="kitchen")
        def ticket(event: OrderEvent) -> None:
            return fail(flow)  # type: ignore[no-any-return]

        placed(flow)
        with pytest.raises(RuntimeError, match=message):
            flow.settled()


async def coroutine_function(event: OrderEvent) -> None:
    """A handler of the asynchronous flow."""


def no_argument() -> None:
    """No handler at all."""


@pytest.mark.parametrize("handler", [coroutine_function, no_argument])
def test_what_is_no_plain_function_of_an_event_is_refused_as_a_handler(handler: Any) -> None:
    with OrderFlow.in_memory_sync(consumers=()) as flow, pytest.raises(InvalidInput, match="handler"):
        flow.on("order.created")(handler)


def test_a_flow_that_does_not_open_says_why() -> None:
    with pytest.raises(InvalidInput, match="consumers"):
        OrderFlow.open_sync("memory://", consumers=["printer"])
    with pytest.raises(NotConfigured, match="KAFKA"):
        OrderFlow.open_sync("memory://", publishing="direct")


def test_a_closed_flow_refuses_calls_and_may_be_closed_again() -> None:
    flow = OrderFlow.in_memory_sync()
    flow.close()
    flow.close()

    for call in (lambda: flow.get_order("O1"), lambda: flow.on()(print), flow.correlated):
        with pytest.raises(RuntimeError, match="is closed"):
            call()


async def test_calls_inside_a_running_event_loop_are_refused() -> None:
    with pytest.raises(RuntimeError, match="running event loop"):
        OrderFlow.in_memory_sync()
    flow = await asyncio.to_thread(OrderFlow.in_memory_sync)
    with pytest.raises(RuntimeError, match="running event loop"):
        flow.get_order("O1")
    await asyncio.to_thread(flow.close)


def test_closing_waits_for_a_handler_only_so_long() -> None:
    flow, at_work, free = OrderFlow.in_memory_sync(), threading.Event(), threading.Event()

    @flow.on("order.created", name="kitchen")
    def ticket(event: OrderEvent) -> None:
        at_work.set()
        free.wait()

    placed(flow)
    assert at_work.wait(60)
    began = monotonic()
    flow.close(timeout=0.2)
    free.set()

    assert monotonic() - began >= 0.2
    with pytest.raises(RuntimeError, match="is closed"):
        flow.get_order("O1")


def test_a_call_that_closing_cuts_off_says_so() -> None:
    flow, at_work, free = OrderFlow.in_memory_sync(), threading.Event(), threading.Event()

    @flow.on("order.created", name="kitchen")
    def ticket(event: OrderEvent) -> None:
        at_work.set()
        free.wait()

    placed(flow)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(flow.settled, 600)
        assert at_work.wait(60)

        flow.close(timeout=0.1)
        free.set()

        with pytest.raises(RuntimeError, match="cut off"):
            waiting.result(60)


def test_closing_raises_the_error_that_ended_a_consumer(mocker: Any) -> None:
    flow = OrderFlow.in_memory_sync(consumers=())
    mocker.patch.object(EmbeddedConsumers, "close", side_effect=ValueError("broken"))

    with pytest.raises(ValueError, match="broken"):
        flow.close()


def test_a_process_that_ends_with_open_flows_closes_them_and_ends(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/o.db"
    ended = run(
        """
flows = [OrderFlow.open_sync(url, consumers=["notifications", "analytics", "inventory"]) for url in sys.argv[1:]]
for flow in flows:
    flow.on("order.created", name="kitchen")(lambda event: None)
    flow.create_order(**order)
    flow.settled()
while not flow._thread.call(flow._target.container.storage().processes.all):
    pass
print("ends", flush=True)
""",
        "memory://",
        url,
    )
    assert (ended.returncode, ended.stdout.split()[-1:], "Error" in ended.stderr) == (0, ["ends"], False), ended.stderr

    with OrderFlow.open_sync(url) as flow:
        running = flow._thread.call(flow._target.container.storage().processes.all)

    assert [known.process.pid for known in running if known.process.pid != os.getpid()] == []


def test_a_forked_process_has_to_open_its_own_after_the_fork(tmp_path: Path) -> None:
    ended = run(
        """
flow = OrderFlow.open_sync(sys.argv[1], consumers=["analytics"])
flow.create_order(**order)
if (child := os.fork()) == 0:
    for call in (lambda: flow.create_order(**order), lambda: flow.correlated(), lambda: flow.on()(print)):
        try:
            call()
        except RuntimeError as refused:
            assert f"opened by process {os.getppid()}" in str(refused), refused
        else:
            os._exit(1)
    flow.close()
    with OrderFlow.in_memory_sync() as mine:
        mine.create_order(**order)
    try:
        OrderFlow.open_sync(sys.argv[1])
    except Exception as refused:
        print(type(refused).__name__, refused, flush=True)
    sys.exit(7)
_, status = os.waitpid(child, 0)
flow.create_order(**order)
print(os.waitstatus_to_exitcode(status), len(flow.list_orders().orders), flush=True)
flow.close()
if (child := os.fork()) == 0:
    with OrderFlow.open_sync(sys.argv[1]) as mine:
        print(mine.create_order(**order).state, flush=True)
    os._exit(0)
os.waitpid(child, 0)
""",
        f"sqlite:///{tmp_path}/o.db",
    )

    assert ended.returncode == 0, ended.stderr
    refused, parent, allowed = ended.stdout.splitlines()[-3:]
    assert refused.startswith("NotConfigured this process was forked while the SQLite database was open")
    assert (parent, allowed) == ("7 2", "waiting_for_shipper")


@pytest.mark.parametrize(("start", "processes"), [("fork", "2"), ("spawn", "1")])
def test_processes_of_multiprocessing_open_their_own(start: str, processes: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        IMPORTS
        + """
from multiprocessing import get_context

def work(url):
    with OrderFlow.open_sync(url) as flow:
        return flow.create_order(**order).id

if __name__ == "__main__":
    with OrderFlow.open_sync(sys.argv[1]):
        pass
    with get_context(sys.argv[2]).Pool(int(sys.argv[3])) as pool:
        made = pool.map(work, [sys.argv[1]] * 4)
    with OrderFlow.open_sync(sys.argv[1]) as flow:
        print(len({flow.get_order(it).id for it in made}), flush=True)
""",
        encoding="utf-8",
    )

    ended = subprocess.run(
        [sys.executable, str(program), f"sqlite:///{tmp_path}/o.db", start, processes],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert (ended.returncode, ended.stdout.split()[-1:]) == (0, ["4"]), ended.stderr


def test_the_modules_of_this_door_do_nothing_when_imported() -> None:
    source = Path(__file__).parents[3] / "src" / "entrypoints" / "flow_thread.py"

    calls = [node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.Expr)]

    assert all(isinstance(node.value, ast.Constant) for node in calls)
