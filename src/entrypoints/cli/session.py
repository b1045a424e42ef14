"""The session of one command line: its settings, the container, and the output."""

import gc
import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attrs import AttrsInstance, asdict, evolve, frozen, has
from cyclopts import Parameter

from ...application.event_log.records import LogRecord
from ...application.request_context import Request, answering
from ...domain.errors import NotConfigured
from ...domain.text import MAX_IDENTIFIER, printable
from .audit import user
from .output import encodable, write_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from ...application.clock import Clock
    from ...application.notifications.ports import MessageTemplates
    from ...application.orders.use_cases import UseCases
    from ..container import Container
    from ..settings import Settings

InputFile = Annotated[Path, Parameter(allow_leading_hyphen=True)]
"""A file, or '-' for standard input, which would be taken for an option otherwise."""

WIDTH = 200
"""Columns of a table that is not printed on a terminal, if its identifiers need no more."""
MAX_WIDTH = 10_000
MAX_CELL = 10_000
"""Characters of a cell; --json shows all."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGRATIONS = {
    "click",
    "fast_depends",
    "fastapi",
    "pydantic",
    "pydantic_settings",
    "rich",
    "starlette",
    "werkzeug",
    "yaml",
}


@frozen
class Session:
    """One command's settings and output.

    Data goes to standard output, messages to standard error. With ``json`` the data is one JSON document.
    ``correlation_id`` is empty if none was given.
    """

    settings: "Settings"
    json: bool
    correlation_id: str

    @property
    def error_console(self) -> "Console":
        """The console of standard error, for progress bars."""
        from rich.console import Console

        return Console(stderr=True, emoji=False)

    def info(self, text: str) -> None:
        """Print a message on standard error."""
        self.error_console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def show(self, data: object, table: "RenderableType | None" = None) -> None:
        """Print ``data``: as JSON with --json, else as ``table``, or as a table of its names and values."""
        if self.json:
            write_json(encode(data))
        elif isinstance(table, str):
            sys.stdout.write(printable(table) + "\n")
        else:
            print_table(table if table is not None else name_value_table(plain(data)))

    def name_database(self, *, create: bool = False, share: bool = False) -> None:
        """Print which database the command uses, as ``database`` returns it."""
        self.info(f"database: {self.database(create=create, share=share)}")

    def database(self, *, create: bool = False, share: bool = False) -> str:
        """Return the database's URL without password.

        Raises NotConfigured if it would be new, unless ``create``, and if it is another application's, unless
        ``share``.
        """
        from ...adapters.sql import schema
        from ..secret_settings import masked_url

        url = masked_url(self.settings.database_url)
        if not create and not schema.exists(self.settings.database_url):
            fix = "set ORDERFLOW_DATABASE_URL to an existing one, or create it with `orderflow db upgrade`"
            raise NotConfigured(f"there is no database at {url}", fix)
        if not share and schema.is_foreign(self.settings.database_url):
            fix = "set ORDERFLOW_DATABASE_URL to another file, or add orderflow's tables with `orderflow db upgrade`"
            raise NotConfigured(f"{url} is the database of another application", fix)
        return url

    @asynccontextmanager
    async def opened(self, *, create: bool = False) -> AsyncIterator["Container"]:
        """Open the container of these settings, with a correlation id for everything that the command causes.

        Raises NotConfigured if there is no database, unless the command may ``create`` one.
        """
        container = build_container(self.settings)
        self.name_database(create=create)

        from ..wiring.lifespan import opened

        async with opened(container):
            correlation_id = self.correlation_id or container.new_id()()
            request = Request(correlation_id=correlation_id, requested_at=datetime.now(UTC), door="cli", origin=user())
            with answering(request):
                yield container

    @asynccontextmanager
    async def use_cases(self) -> AsyncIterator["UseCases"]:
        """Open the container, as ``opened`` does, and yield its use-cases."""
        async with self.opened() as container:
            yield container.use_cases()


_session: ContextVar[Session] = ContextVar("orderflow_cli_session")


def session() -> Session:
    """Return the session of the current command."""
    return _session.get()


def begin(settings: "Settings", *, json: bool, correlation_id: str) -> None:
    """Start the session of a command."""
    _session.set(Session(settings, json, correlation_id))


def with_consumer(named: str, within: Session | None = None) -> tuple[Session, str]:
    """Return the session, or ``within``, with the consumer that is named, and its name. Raises InvalidInput."""
    from ..wiring.own_consumers import with_consumer as settings_with

    current = within or session()
    _find_modules(named)
    settings, name = settings_with(current.settings, named)
    return evolve(current, settings=settings), name


def _find_modules(*named: str) -> None:
    """Have a module that a setting names found in the current directory as well, after all others."""
    if any(":" in name for name in named) and "" not in sys.path:
        sys.path.append("")


def build_container(
    settings: "Settings", *, clock: "Clock | None" = None, templates: "MessageTemplates | None" = None
) -> "Container":
    """Build the container of ``settings``, as ``container_for`` does; nothing is opened. ``clock`` is simulated."""
    with without_integrations():
        from ..container import container_for
    own = settings.payment_gateway, settings.notification_templates
    _find_modules(*own, *settings.notification_channels, *settings.consumers)
    container = container_for(settings, clock=clock, simulated=clock is not None, templates=templates)
    gc.freeze()
    gc.enable()
    return container


@contextmanager
def without_integrations() -> Iterator[None]:
    """Import dependency_injector, structlog and typed_settings without their optional integrations.

    orderflow uses none of them, and they cost a second of processor time if a web framework is installed. structlog
    would import rich, and Pygments with it, for tracebacks of its own.
    """
    sys.meta_path.insert(0, finder := _RefuseIntegrations())
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _RefuseIntegrations(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname in _INTEGRATIONS:
            raise ModuleNotFoundError(f"{fullname} is not imported here", name=fullname)


def encode(data: object) -> str:
    """Format ``data`` as JSON, amounts with their exact digits."""
    import msgspec

    return msgspec.json.Encoder(decimal_format="number").encode(plain(data)).decode()


def plain(data: object) -> Any:
    """Convert ``data`` to what JSON can hold, attributes in camelCase."""
    if has(type(data)):
        instance: AttrsInstance = data  # type: ignore[assignment]
        return {_camel(name): plain(value) for name, value in asdict(instance, recurse=False).items()}
    if isinstance(data, LogRecord):
        return {_camel(name): plain(value) for name, value in data._asdict().items()}
    if isinstance(data, Enum):
        return data.value
    if isinstance(data, Mapping):
        return {str(plain(key)): plain(value) for key, value in data.items()}
    if isinstance(data, str):
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", data)
    if isinstance(data, bytes | datetime):
        return data
    if isinstance(data, Iterable):
        return [plain(value) for value in data]
    return data


def rows(*columns: str, of: Iterable[Iterable[object]]) -> "Table":
    """Return a table with these columns; None is an empty cell, times are to the second.

    Every cell is shown as it is, without markup, and wrapped, never cut. Only on a terminal is an identifier wrapped.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[encodable(cell_text(cell)) for cell in row] for row in of]
    table = Table()
    for number, name in enumerate(columns):
        words = [word for row in cells for word in row[number].split()]
        longest = min(max(map(len, words), default=0), MAX_IDENTIFIER)
        table.add_column(
            Text(encodable(name)), overflow="fold", min_width=None if sys.stdout.isatty() else max(longest, 1)
        )
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def print_table(table: "RenderableType") -> None:
    """Print on standard output: as wide as the terminal, or else as the identifiers need."""
    from rich.console import Console
    from rich.measure import Measurement

    if sys.stdout.isatty():
        Console().print(table)
        return
    unlimited = Console(width=MAX_WIDTH)
    needed = Measurement.get(unlimited, unlimited.options, table).minimum
    Console(width=max(WIDTH, needed)).print(table)


def name_value_table(data: Any) -> "Table":
    """Return a table of names and values."""
    items = data.items() if isinstance(data, Mapping) else enumerate(data)
    return rows("", "", of=items)


def titled_lines(title: object, values: Mapping[str, object]) -> list[tuple[object, ...]]:
    """Return a table's lines with the names and values that are not empty; the first line begins with ``title``."""
    lines = [(name, value) for name, value in values.items() if value not in ("", None)]
    return [(title if number == 0 else "", *line) for number, line in enumerate(lines)]


def cell_text(cell: object) -> str:
    """Format the value of a table's cell."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, float):
        return f"{cell:.1f}" if abs(cell) >= 1 or not cell else f"{cell:.2g}"
    text = encode(cell) if isinstance(cell, list | tuple | Mapping) else str(cell)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}... ({len(text) - MAX_CELL} characters more)"


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)
