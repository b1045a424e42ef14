"""``orderflow orders import``: creates the orders of a file of any length, and answers each for itself."""

import asyncio
import sys
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from ...application.orders.in_order import in_order
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, OrderFlowError, StorageBusy, Unavailable
from ...domain.order import Order
from ...domain.text import printable
from ..http.bodies import PlaceOrder
from ..http.read_body import read_body
from .arguments import opened_file
from .documents import Document, Documents
from .session import rows, session

if TYPE_CHECKING:
    from datetime import datetime

    from ...application.orders.create_order import NewOrder
    from ...application.orders.use_cases import UseCases

BLOCK = 64 * 1024
"""Bytes that are read at once."""
BLOCKS_WAITING = 4
"""Blocks that are read before the orders in them are created."""
LISTED = 1_000
"""Refused orders that --json lists; all are counted."""
BUSY_SECONDS = 0.1


@frozen
class _Line:
    """One order of the file, or the error of its line."""

    number: int
    new: "NewOrder | None" = None
    error: OrderFlowError | None = None


@frozen
class _Outcome:
    line: int
    order: Order | None = None
    error: OrderFlowError | None = None


@frozen(kw_only=True)
class RefusedOrder:
    """An order that was not created, and why."""

    line: int
    code: str
    problem: str


@define(kw_only=True)
class ImportReport:
    """The orders of a file. ``placed`` are stored, of which ``existing`` were before the import began."""

    orders: int = 0
    placed: int = 0
    existing: int = 0
    refused: int = 0
    last_line: int = 0
    """Every order up to this line is placed or refused."""
    refusals: list[RefusedOrder] = field(factory=list)
    """The first LISTED."""


async def import_orders(file: Path, by: Actor) -> int:
    """Create the orders in ``file``, and show the report. Returns 1 if any was refused.

    Raises InvalidInput if the file is broken, and Unavailable, in both cases after the report.
    """
    async with session().opened(create=True) as container:
        work = Import(container.use_cases(), by, container.clock()(), session().settings.commit_group)
        stopped: OrderFlowError | None = None
        try:
            await work(file)
        except OrderFlowError as error:
            stopped = error
    report = work.report
    cells = (report.orders, report.placed, report.existing, report.refused)
    session().show(report, rows("orders", "placed", "existing", "refused", of=[cells]))
    if stopped is not None:
        session().info(f"every order up to line {report.last_line} is placed or refused; run the import again")
        raise stopped
    return 1 if report.refused else 0


@define(eq=False)
class Import:
    """One import. ``at_once`` orders are created at the same time, so that they share transactions."""

    use_cases: "UseCases"
    by: Actor
    began: "datetime"
    at_once: int
    report: ImportReport = field(factory=ImportReport, init=False)
    _broken: Exception | None = field(default=None, init=False)
    """The reason for which the file was not read to its end."""

    async def __call__(self, file: Path) -> None:
        """Create the orders. Raises InvalidInput if the file is broken, and Unavailable, after the orders before it."""
        outcomes = in_order(self._lines(file), self._create, at_once=self.at_once, resources=_resources)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                if isinstance(outcome.error, Unavailable):
                    raise outcome.error
                self._note(outcome)
        if self._broken is not None:
            raise self._broken

    async def _lines(self, file: Path) -> AsyncIterator[_Line]:
        settings = session().settings
        documents = Documents(settings.http_max_body_bytes)
        try:
            async with aclosing(_blocks(file)) as blocks:
                async for block in blocks:
                    for document in documents.feed(block):
                        yield _line(document, settings.http_max_body_bytes, settings.currency)
            for document in documents.end():
                yield _line(document, settings.http_max_body_bytes, settings.currency)
        except InvalidInput as error:
            self._broken = error

    async def _create(self, line: _Line) -> _Outcome:
        if line.new is None:
            return _Outcome(line.number, error=line.error)
        while True:
            try:
                return _Outcome(line.number, await self.use_cases.create_order(line.new, by=self.by))
            except StorageBusy:  # nothing was changed, and others are faster
                await asyncio.sleep(BUSY_SECONDS)
            except OrderFlowError as error:
                return _Outcome(line.number, error=error)

    def _note(self, outcome: _Outcome) -> None:
        report = self.report
        report.orders += 1
        report.last_line = outcome.line
        if outcome.order is not None:
            report.placed += 1
            report.existing += outcome.order.created_at < self.began
            return
        report.refused += 1
        error = outcome.error
        code, problem = (error.code, str(error)) if error is not None else ("", "")
        if len(report.refusals) < LISTED:
            report.refusals.append(RefusedOrder(line=outcome.line, code=code, problem=problem))
        if not session().json:
            sys.stderr.write(f"line {outcome.line}: {printable(problem)}\n")


def _resources(line: _Line) -> tuple[str, ...]:
    return () if line.new is None or line.new.order_id is None else (line.new.order_id,)


def _line(document: Document, limit: int, currency: str) -> _Line:
    try:
        if document.content is None:
            raise InvalidInput("", f"more than {limit} bytes", f"at most {limit} bytes (ORDERFLOW_HTTP_MAX_BODY_BYTES)")
        body = read_body(document.content, PlaceOrder)
        if body.order_id is None:
            raise InvalidInput("orderId", "it is missing", "an id, so that the import can be run again")
        return _Line(document.line, body.order(currency))
    except InvalidInput as error:
        return _Line(document.line, error=error)


async def _blocks(file: Path) -> AsyncGenerator[bytes, None]:
    """Yield the content of ``file`` as it is read, on a thread that Ctrl-C need not wait for. Raises InvalidInput."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | InvalidInput]()
    turns = Semaphore(BLOCKS_WAITING)

    def read_all() -> None:
        with suppress(RuntimeError):  # the loop has ended
            for block in _read(file):
                turns.acquire()
                loop.call_soon_threadsafe(queue.put_nowait, block)

    Thread(target=read_all, name="import", daemon=True).start()
    first = True
    while block := await queue.get():
        turns.release()
        if isinstance(block, InvalidInput):
            raise block
        yield block.removeprefix(BOM_UTF8) if first else block
        first = False


def _read(file: Path) -> Iterator[bytes | InvalidInput]:
    """Yield the blocks of ``file``; at the end an empty one, or an error."""
    try:
        with opened_file(file) as stream:
            # Python's own buffer would be locked at the end of the program
            source: Any = getattr(stream, "raw", stream)
            while block := source.read(BLOCK):
                yield block
        yield b""
    except InvalidInput as error:
        yield error
