"""Documentation pages as programs: their blocks, in order, run as a reader would run them."""

import ast
import asyncio
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from inspect import CO_COROUTINE
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen
from orderflow import OrderFlow
from orderflow.entrypoints.cli.main import app, run
from orderflow.entrypoints.http import create_app

TREE = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)\s*$", re.DOTALL | re.MULTILINE)
EXIT = re.compile(r"#\s*exits (\d)")


def pages() -> list[Path]:
    """Every page of the tree that has words for its readers."""
    return sorted([*TREE.glob("*.md"), *TREE.glob("docs/**/*.md")])


@frozen
class Block:
    """``info`` is what stands behind the opening fence: the language, then what is to be done with it."""

    page: str
    line: int
    info: str
    body: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Return the commands, which follow a ``$``; other lines are output."""
        return [line.removeprefix("$ ") for line in self.body.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(str(page.relative_to(TREE)), line, found["info"].strip(), found["body"])


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Run the block in ``names``, ``await`` allowed anywhere, as in a notebook."""
    code = compile(block.body, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if code.co_flags & CO_COROUTINE:
        asyncio.run(outcome)


def run_program(block: Block, file: Path) -> None:
    """Save the block as a file and run it, as a reader does who pastes it.

    :raises AssertionError: when it does not end with 0.
    """
    file.write_text(block.body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file.name], cwd=file.parent, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{block}: {done.stderr}"


def run_orderflow(command: str) -> None:
    """Run one command line of ``orderflow`` in this process.

    :raises AssertionError: when it ends with another code than its comment ``# exits N`` says, or than 0.
    """
    expected = int(found[1]) if (found := EXIT.search(command)) else 0
    code = run(shlex.split(command, comments=True)[1:])
    assert code == expected, f"$ {command} ended with {code}"


def understand_orderflow(command: str) -> None:
    """See that the command line exists, without running it.

    :raises cyclopts.CycloptsError: when a command or option is not known.
    """
    app.parse_args(shlex.split(command, comments=True)[1:], exit_on_error=False, print_error=False)


def ask_over_http(commands: list[str], folder: Path) -> None:
    """Ask each ``curl`` of a new service on memory.

    :raises AssertionError: for an answer that is no success.
    """

    async def ask() -> None:
        async with OrderFlow.in_memory() as flow:
            service = create_app(
                flow.use_cases,
                tokens=flow.container.storage().tokens,
                checks={},
                trust_actor_header=True,
                analytics=flow.container.effects().analytics,
                prices=flow.prices,
                streams=flow.container.streams(),
                notifications=flow.container.list_notifications(),
            )
            async with httpx.AsyncClient(transport=httpx.ASGITransport(service)) as client:
                for command in commands:
                    answer = await client.request(**_asked(command, folder))
                    assert answer.is_success, f"$ {command} was answered {answer.status_code}: {answer.text}"

    asyncio.run(ask())


def _asked(command: str, folder: Path) -> Mapping[str, Any]:
    curl = ArgumentParser("curl", exit_on_error=False)
    curl.add_argument("url")
    curl.add_argument("-X", dest="method")
    curl.add_argument("-H", dest="headers", action="append", default=[])
    curl.add_argument("-d", dest="data")
    asked = curl.parse_args(shlex.split(command)[1:])
    data = asked.data
    content = (folder / data[1:]).read_bytes() if data and data.startswith("@") else data
    headers = dict(header.split(": ", 1) for header in asked.headers)
    return {
        "method": asked.method or ("POST" if data else "GET"),
        "url": asked.url,
        "headers": headers,
        "content": content,
    }
