"""An application may set its process as it likes: orders, figures and consumers stay the same, nothing is changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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

        for inside in insides:
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
        await flow.settled(300)
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
insides = []
run = lambda main: asyncio.run(main())
"""
INSIDE = """
if "inside" in globals():
    insides.append(globals().pop("inside"))
"""
"""Keeps what a host does inside the loop, for several may do something."""
REFUSAL = """
import sys, threading
def run(main):
    from orderflow import NotConfigured
    for module in (sys, threading):
        hook, module.excepthook = module.excepthook, None
        try:
            asyncio.run(main())
        except NotConfigured as error:
            assert f"{module.__name__}.excepthook is None" in str(error), error
            print("refused")
        module.excepthook = hook
    raise SystemExit(0)
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
def deep(main, left=600, run=run):
    return run(main) if left == 0 else deep(main, left - 1)
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
def run(main, run=run):
    failed = []
    def thread():
        try:
            run(main)
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
    "a working directory that was removed before the import": """
import os, sys, tempfile
os.chdir(folder := tempfile.mkdtemp())
os.rmdir(folder)
kept = os.getcwd
def inside():
    assert os.getcwd is kept
""",
    "a working directory that is removed": """
import os, tempfile
def inside():
    os.chdir(folder := tempfile.mkdtemp())
    os.rmdir(folder)
""",
    "no hook for exceptions that cannot be raised": """
import sys
sys.unraisablehook = None
""",
    "hooks for exceptions that raise": """
import sys, threading
def fails(*_):
    raise OSError("the hook fails")
sys.excepthook = sys.unraisablehook = threading.excepthook = fails
""",
    "a handler of exceptions of the event loop that raises": """
def inside():
    def fails(*_):
        raise OSError("the handler fails")
    asyncio.get_running_loop().set_exception_handler(fails)
""",
    "log handlers that raise": """
import logging
class Fails(logging.Handler):
    level = 0
    def emit(self, record):
        raise OSError("the handler fails")
    def handle(self, record):
        self.emit(record)
for name in ("orderflow", "orderflow.audit", "aiosqlite"):
    logging.getLogger(name).addHandler(Fails())
    logging.getLogger(name).setLevel(logging.DEBUG)
""",
    "a filter of log lines that raises": """
import logging
def fails(record):
    raise ValueError("the filter fails")
for name in ("orderflow", "orderflow.audit", "orderflow.commands", "orderflow.consumers", "orderflow.relay"):
    logging.getLogger(name).addFilter(fails)
    logging.getLogger(name).setLevel(logging.DEBUG)
""",
    "closed standard streams": """
import os, sys
OUT = os.dup(1)
for descriptor in (0, 1, 2):
    os.close(descriptor)
sys.stdin = sys.stdout = sys.stderr = None
def print(text):
    os.write(OUT, text.encode() + b"\\n")
""",
    "standard streams that raise": """
import sys
class Fails:
    encoding = "utf-8"
    def write(self, *_):
        raise OSError("no space left on device")
    fileno = write
    def flush(self):
        return None
    def isatty(self):
        return False
OUT, sys.stdout, sys.stderr = sys.stdout, Fails(), Fails()
def print(text):
    OUT.write(text + "\\n")
    OUT.flush()
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


PROGRAMS = [
    (
        "a working directory that was removed before the import",
        "closed standard streams",
        "a decimal context of its own",
        "a low recursion limit",
        "signal handlers of its own",
        "hooks for exceptions that raise",
        "log handlers that raise",
        "a locale of its own",
        "an ASCII locale",
    ),
    (
        "a decimal context that hides errors",
        "uvloop",
        "deep in its own stack",
        "no hook for exceptions that cannot be raised",
        "a handler of exceptions of the event loop that raises",
        "a filter of log lines that raises",
        "a time zone of its own",
    ),
    (
        "the event loop policy of uvloop",
        "asyncio's debug mode",
        "a thread of its own",
        "standard streams that raise",
        "a working directory that is removed",
        "a far time zone",
        "hash seed and optimization",
    ),
]
"""Settings of applications, several at a time: a process each would take a minute."""


def test_everything_that_an_application_may_set_is_in_a_program() -> None:
    assert {*HOSTS, *ENVIRONMENTS} == {name for names in PROGRAMS for name in names}


@pytest.mark.parametrize("names", PROGRAMS, ids=" + ".join)
def test_the_same_happens_in_an_application_with(names: tuple[str, ...], tmp_path: Path) -> None:
    hosts = "".join(HOSTS[name] + INSIDE for name in names if name in HOSTS)
    environment = {variable: value for name in names for variable, value in ENVIRONMENTS.get(name, {}).items()}

    done = _program(PLAIN + hosts, tmp_path, environment=environment)

    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr


def test_the_same_happens_where_warnings_are_errors(tmp_path: Path) -> None:
    done = _program(PLAIN, tmp_path, "-W", "error", "-X", "dev")

    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr
    assert "Warning" not in done.stderr


def test_an_application_in_which_no_thread_can_start_is_refused_with_that_reason(tmp_path: Path) -> None:
    done = _program(PLAIN + REFUSAL, tmp_path)

    assert (done.returncode, done.stdout) == (0, "refused\nrefused\n"), done.stderr


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
