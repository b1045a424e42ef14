"""An application may set its process as it likes: orders, figures and consumers stay the same, nothing is changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

LIFE = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext

from orderflow import Money, OrderFlow, OrderLine, OrderQuery

with localcontext(Context()):
    PRICE, TOTAL = Decimal("4115.2233"), Decimal("12345.6712")


async def main():
    consumers = ["notifications", "analytics", "inventory"]
    async with OrderFlow.open(f"sqlite:///{sys.argv[1]}/o.db", consumers=consumers) as flow:
        seen = []

        @flow.on(name="host")
        async def host(event):
            seen.append(event.type)

        inside()
        none = Money.zero("CLF")
        price = Money(PRICE, "CLF")
        lines = [OrderLine(food_id="F1", food_name="Jalapeño 🌶️", price=price, quantity=3, discount=none)]
        given = {"customer_id": "C1", "restaurant_id": "R7", "lines": lines, "currency": "CLF"}
        for n in ("o1", "o2"):
            await flow.create_order(order_id=n, total=Money(TOTAL, "CLF"), **given)
        await flow.assign_shipper("o1", "S1")
        await flow.transition_order_state("o1", "on_the_way")
        await flow.transition_order_state("o1", "delivered")
        await flow.cancel_order("o2", "changed my mind")
        await flow.settled(60)
        order = await flow.get_order("o1")
        assert str(order.total.amount) == "12345.6712", order.total
        assert len((await flow.list_orders(OrderQuery(customer_id="C1"))).orders) == 2
        assert len(seen) == 10, seen
        analytics = flow.container.effects().analytics
        [restaurant] = await analytics.per_restaurant()
        assert str(restaurant.gross_revenue) == "24691.3424", restaurant
        assert str(restaurant.net_revenue) == "12345.6712", restaurant
        now = datetime.now(UTC)
        minutes = await analytics.per_minute(now - timedelta(hours=1), now + timedelta(hours=1))
        assert sum(it.orders for it in minutes) == 2, minutes
        report = await flow.container.check()()
        assert report.clean, report


run(main)
print("the same")
"""
PLAIN = """
import asyncio
inside = lambda: None
run = lambda main: asyncio.run(main())
"""
HOSTS = {
    "a decimal context of its own": """
import decimal
for context in (decimal.DefaultContext, decimal.getcontext()):
    context.prec, context.rounding, context.capitals, context.Emax, context.Emin = 2, decimal.ROUND_UP, 0, 2, -2
    for signal in context.traps:
        context.traps[signal] = True
""",
    "a decimal context that hides errors": """
import decimal
for context in (decimal.DefaultContext, decimal.getcontext()):
    context.prec = 6
    for signal in context.traps:
        context.traps[signal] = False
""",
    "a low recursion limit": """
import sys
def inside():
    sys.setrecursionlimit(len(__import__("inspect").stack()) + 150)
""",
    "deep in its own stack": """
import sys
def deep(main, left=600):
    return asyncio.run(main()) if left == 0 else deep(main, left - 1)
run = deep
""",
    "signal handlers of its own": """
import signal
caught = {n: signal.getsignal(n) for n in signal.valid_signals()}
asyncio_owns = {signal.SIGINT}  # asyncio.run's, while it runs
def inside():
    now = {n: signal.getsignal(n) for n in signal.valid_signals()}
    assert {n for n in now if now[n] != caught[n]} <= asyncio_owns
    assert signal.set_wakeup_fd(-1) in (-1, wakeup[0])
def run(main):
    async def looked():
        wakeup.append(signal.set_wakeup_fd(-1)); signal.set_wakeup_fd(wakeup[0])
        await main()
    asyncio.run(looked())
    assert {n: signal.getsignal(n) for n in signal.valid_signals()} == caught
wakeup = []
""",
    "a thread of its own": """
import threading
def run(main):
    failed = []
    def thread():
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)
    it = threading.Thread(target=thread)
    it.start(); it.join()
    if failed:
        raise failed[0]
""",
    "uvloop": """
import uvloop
run = lambda main: uvloop.run(main())
""",
    "the event loop policy of uvloop": """
import uvloop
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
""",
    "asyncio's debug mode": """
run = lambda main: asyncio.run(main(), debug=True)
""",
    "a locale of its own": """
import locale
locale.setlocale(locale.LC_ALL, "")
""",
    "a time zone of its own": """
import os, time
os.environ["TZ"] = "XYZ-13:45"
time.tzset()
""",
}
ENVIRONMENTS = {
    "an ASCII locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a far time zone": {"TZ": "Pacific/Kiritimati"},
    "hash seed and optimization": {"PYTHONHASHSEED": "1", "PYTHONOPTIMIZE": "2"},
}


@pytest.mark.parametrize("host", HOSTS)
def test_the_same_happens_in_an_application_with(host: str, tmp_path: Path) -> None:
    done = _program(PLAIN + HOSTS[host], tmp_path)

    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_same_happens_in_the_environment_of(name: str, tmp_path: Path) -> None:
    done = _program(PLAIN, tmp_path, environment=ENVIRONMENTS[name])

    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr


def test_the_same_happens_where_warnings_are_errors(tmp_path: Path) -> None:
    done = _program(PLAIN, tmp_path, "-W", "error", "-X", "dev")

    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr
    assert "Warning" not in done.stderr


def _program(
    preamble: str, folder: Path, *options: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    program = folder / "host.py"
    program.write_text(preamble + LIFE, encoding="utf-8")
    given = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERFLOW_", "PYTHON", "LC_"))}
    return subprocess.run(
        [sys.executable, *options, str(program), str(folder)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**given, **(environment or {})},
        check=False,
    )
