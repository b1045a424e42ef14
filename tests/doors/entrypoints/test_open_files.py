"""A server may have as many files open as its connections need, or says so at its start."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {highest}))
{then}
"""
SERVE = """
from orderflow.entrypoints.cli import main
sys.argv = ["orderflow", "serve", "--dev"]
main()
"""
RAISE = """
from orderflow.entrypoints.open_files import allow_open_files
allow_open_files(400)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_process_raises_its_own_limit_as_far_as_its_connections_need() -> None:
    done = _run(PROGRAM.format(limit=256, highest=600, then=RAISE))

    assert done.stdout == "550 600\n", done.stderr


def test_a_server_that_may_not_have_its_connections_open_does_not_start(tmp_path: Path) -> None:
    program = PROGRAM.format(limit=256, highest=256, then=SERVE)

    done = _run(program, ORDERFLOW_DATABASE_URL=f"sqlite:///{tmp_path / 'orders.db'}", ORDERFLOW_HTTP_PORT="0")

    assert done.returncode == 1, done.stderr
    assert "may have 256 files open" in done.stderr
    assert "allow 960" in done.stderr


def _run(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False)
