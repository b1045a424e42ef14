"""The processor time that a command takes, in a process of its own, as a multiple of what ``import sqlalchemy`` takes.

The unit makes the budgets independent of the machine. Each measurement is the least of several, taken in turns, so that
a busy machine slows all of them down or none.
"""

import math
import os
import subprocess
import sys

from tests.support.commands import CommandLine, order_json

UNIT = ("-c", "import sqlalchemy")
ORDERFLOW = ("-c", "from orderflow.entrypoints.cli import main; main()")
BUDGETS = {("--version",): 1.0, ("--help",): 1.0, ("orders", "show", "o1"): 3.4}
"""An import of SQLAlchemy takes about 0.35 s where all commands took 2 s before they imported only what they use."""
ATTEMPTS = 12


def test_a_command_starts_within_its_budget_of_processor_time(cli: CommandLine) -> None:
    cli.json("orders", "create", "-", stdin=order_json())
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "100", "ORDERFLOW_DATABASE_URL": cli.database_url}
    programs = {UNIT: UNIT} | {arguments: (*ORDERFLOW, *arguments) for arguments in BUDGETS}
    for program in programs.values():
        _processor_seconds(program, environment)  # compiles what is not compiled yet

    seconds = dict.fromkeys(programs, math.inf)
    for attempt in range(1, ATTEMPTS + 1):
        for name, program in programs.items():
            seconds[name] = min(seconds[name], _processor_seconds(program, environment))
        ratios = {arguments: seconds[arguments] / seconds[UNIT] for arguments in BUDGETS}
        if attempt >= 3 and all(ratios[arguments] <= budget for arguments, budget in BUDGETS.items()):
            break

    assert {arguments: ratio for arguments, ratio in ratios.items() if ratio > BUDGETS[arguments]} == {}


def _processor_seconds(program: tuple[str, ...], environment: dict[str, str]) -> float:
    process = subprocess.Popen((sys.executable, *program), env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime
