"""What every command shares: its settings, who asks, and how it answers."""

import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from attrs import AttrsInstance, asdict, frozen, has
from cyclopts import Parameter
from rich.console import Console, RenderableType
from rich.table import Table

from ...application.event_log.records import LogRecord
from ...application.request_context import Request, answering
from ..container import container_for
from ..embedded import OrderFlow
from ..settings import Settings
from ..wiring.lifespan import opened

_encoder = msgspec.json.Encoder(decimal_format="number")

InputFile = Annotated[Path, Parameter(allow_leading_hyphen=True)]
"""A file, or '-' for standard input, which would be taken for an option otherwise."""


@frozen
class Session:
    """Data goes to standard output, talk to standard error; ``json`` makes the data one JSON document."""

    settings: Settings
    json: bool
    correlation_id: str

    @property
    def talk(self) -> Console:
        return Console(stderr=True)

    def say(self, text: str) -> None:
        """A word to the person at the terminal."""
        self.talk.print(text, highlight=False, markup=False)

    def show(self, data: object, table: RenderableType | None = None) -> None:
        """``data`` as JSON where that is asked for, else ``table`` (or the data, name by name)."""
        if self.json:
            sys.stdout.write(_encoder.encode(plain(data)).decode() + "\n")
        elif isinstance(table, str):
            sys.stdout.write(table + "\n")
        else:
            width = None if sys.stdout.isatty() else 200
            Console(width=width).print(table if table is not None else named(plain(data)))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        """The container of these settings, opened, with a correlation id for what is done inside."""
        container = container_for(self.settings)
        async with opened(container):
            with answering(Request(correlation_id=self.correlation_id, requested_at=datetime.now(UTC))):
                yield container

    @asynccontextmanager
    async def flow(self) -> AsyncIterator[OrderFlow]:
        """The embedded door on these settings."""
        async with self.opened() as container:
            yield OrderFlow(container)


_session: ContextVar[Session] = ContextVar("orderflow_cli_session")


def session() -> Session:
    """The session of the command that runs now."""
    return _session.get()


def begin(settings: Settings, *, json: bool, correlation_id: str) -> None:
    _session.set(Session(settings, json, correlation_id))


def plain(data: object) -> Any:
    """``data`` as JSON knows it, attributes in camelCase."""
    if has(type(data)):
        instance: AttrsInstance = data  # type: ignore[assignment]
        return {_camel(name): plain(value) for name, value in asdict(instance, recurse=False).items()}
    if isinstance(data, LogRecord):
        return {_camel(name): plain(value) for name, value in data._asdict().items()}
    if isinstance(data, Enum):
        return data.value
    if isinstance(data, Mapping):
        return {str(plain(key)): plain(value) for key, value in data.items()}
    if isinstance(data, str | bytes | datetime):
        return data
    if isinstance(data, Iterable):
        return [plain(value) for value in data]
    return data


def rows(*columns: str, of: Iterable[Iterable[object]]) -> Table:
    """A table with these columns; None is shown as nothing, times to the second."""
    table = Table(*columns)
    for row in of:
        table.add_row(*(shown(cell) for cell in row))
    return table


def named(data: Any) -> Table:
    """A table of names and values."""
    items = data.items() if isinstance(data, Mapping) else enumerate(data)
    return rows("", "", of=items)


def shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, float):
        return f"{cell:.1f}"
    if isinstance(cell, list | tuple | Mapping):
        return _encoder.encode(plain(cell)).decode()
    return str(cell)


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)
