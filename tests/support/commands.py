"""Command lines as a person types them, run in this process."""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from attrs import frozen
from orderflow.entrypoints.cli.main import run
from prometheus_client import values


@frozen
class CommandResult:
    """The result of a command: its exit code, its standard output and its standard error."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@frozen
class CommandLine:
    """``orderflow`` on one database; nothing of this machine's own settings reaches it."""

    database_url: str
    more: Mapping[str, str] = {}

    @property
    def file(self) -> Path:
        return Path(self.database_url.removeprefix("sqlite:///"))

    def __call__(self, *arguments: str | Path, stdin: str = "") -> CommandResult:
        """Run a command and return its result, also if it failed."""
        out, err = io.StringIO(), io.StringIO()
        with self._environment(), logging_kept(), metrics_kept(), redirect_stdout(out), redirect_stderr(err):
            before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin.encode()))
            try:
                code = run([str(argument) for argument in arguments])
            finally:
                sys.stdin = before
        return CommandResult(code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str | Path, stdin: str = "") -> Any:
        """The answer of a command that succeeds, asked for with --json."""
        answer = self("--json", *arguments, stdin=stdin)
        assert answer.code == 0, answer
        return answer.data

    @contextmanager
    def _environment(self) -> Iterator[None]:
        settings = {
            "ORDERFLOW_DATABASE_URL": self.database_url,
            "ORDERFLOW_LOG_LEVEL": "warning",
            "ORDERFLOW_LOG_FORMAT": "json",
            "ORDERFLOW_POLL_SECONDS": "0.05",
            **self.more,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        with patch.dict(os.environ, {**kept, **settings}, clear=True):  # afterwards also without what a command sets
            yield


@contextmanager
def logging_kept() -> Iterator[None]:
    """The root logger is afterwards as it was: every command configures it anew."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def metrics_kept() -> Iterator[None]:
    """Metrics are afterwards counted as before: a command with workers counts in a folder that they share."""
    with patch.object(values, "ValueClass", values.ValueClass):
        yield


def order_json(order_id: str = "o1", **changes: object) -> str:
    """The input of ``orders create``: one pizza for cash."""
    body: dict[str, object] = {
        "orderId": order_id,
        "userId": "C1",
        "restaurantId": "R7",
        "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.50, "quantity": 2}],
        "paymentMethod": "cash",
        **changes,
    }
    return json.dumps(body)
