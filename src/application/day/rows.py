"""The rows of one file of a day, each cell knowing its file, line and column for when it is refused."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from attrs import field, frozen

from ...domain.errors import InvalidInput
from ...domain.text import identifier
from .files import DayFile

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?\Z")
_SHOWN = 60


@frozen
class Bounds:
    """The numbers that a column may hold, both ends included, and what they count."""

    least: float
    most: float
    unit: str

    def __str__(self) -> str:
        return f"a number of {self.unit}, {self.least:g} to {self.most:,.0f}"


@frozen(kw_only=True)
class Row:
    """One line of ``file``; lines count from 1, the header included."""

    file: str
    line: int
    cells: Mapping[str, str] = field(repr=False)

    def refuse(self, column: str, problem: str, allowed: str) -> InvalidInput:
        """The error that names this row's cell under ``column``."""
        return InvalidInput(_where(self.file, self.line, column), problem, allowed)

    def identifier(self, column: str) -> str:
        """Raises InvalidInput."""
        return identifier(self.cells[column], field=_where(self.file, self.line, column))

    def number(self, column: str, bounds: Bounds) -> float:
        """Raises InvalidInput."""
        return float(self._checked(column, bounds))

    def amount(self, column: str, bounds: Bounds) -> Decimal:
        """An exact amount. Raises InvalidInput."""
        return Decimal(self._checked(column, bounds))

    def _checked(self, column: str, bounds: Bounds) -> str:
        text = self.cells[column]
        if not _NUMBER.match(text):
            raise self.refuse(column, f"{_shown(text)} is no number", str(bounds))
        if not bounds.least <= float(text) <= bounds.most:
            raise self.refuse(column, f"{_shown(text)} is out of bounds", str(bounds))
        return text


def read_rows(folder: Path, file: DayFile) -> Iterator[Row]:
    """The rows below the header, one after another.

    Raises InvalidInput: for a file that cannot be read or is empty, another header, a row with too few or too
    many columns, and bytes that are no UTF-8. A line ends with a line feed, which a carriage return may precede.
    """
    lines = _lines(folder, file)
    header = _decoded(file, 1, lines[0])
    _check_header(file, header)
    for number, line in enumerate(lines[1:], start=2):
        cells = _decoded(file, number, line)
        _check_width(file, number, cells)
        yield Row(file=file.name, line=number, cells=dict(zip(file.columns, cells, strict=True)))


def _lines(folder: Path, file: DayFile) -> list[bytes]:
    try:
        content = (folder / file.name).read_bytes()
    except FileNotFoundError:
        raise InvalidInput(file.name, f"there is no such file in {folder}", _header(file)) from None
    except OSError as e:
        raise InvalidInput(file.name, f"it cannot be read: {e.strerror or e}", _header(file)) from e
    if not content:
        raise InvalidInput(file.name, "the file is empty", _header(file))
    return [line.removesuffix(b"\r") for line in content.removesuffix(b"\n").split(b"\n")]


def _decoded(file: DayFile, line: int, content: bytes) -> list[str]:
    cells = []
    for index, cell in enumerate(content.split(b"\t")):
        try:
            cells.append(cell.decode())
        except UnicodeDecodeError as e:
            column = file.columns[index] if index < len(file.columns) else f"column {index + 1}"
            problem = f"byte 0x{cell[e.start]:02x} is no UTF-8"
            raise InvalidInput(_where(file.name, line, column), problem, "text in UTF-8") from e
    return cells


def _check_header(file: DayFile, header: list[str]) -> None:
    for index, column in enumerate(file.columns):
        found = header[index] if index < len(header) else None
        if found != column:
            problem = "the header ends before it" if found is None else f"the header has {_shown(found)} here"
            raise InvalidInput(_where(file.name, 1, column), problem, _header(file))
    if len(header) > len(file.columns):
        where = _where(file.name, 1, f"column {len(file.columns) + 1}")
        raise InvalidInput(where, f"the header has {_shown(header[len(file.columns)])} here", _header(file))


def _check_width(file: DayFile, line: int, cells: list[str]) -> None:
    there, wanted = len(cells), len(file.columns)
    if there == wanted:
        return
    allowed = f"{wanted} columns with a tab between them"
    if cells == [""]:
        raise InvalidInput(_where(file.name, line, file.columns[0]), "the line is empty", allowed)
    column = file.columns[there] if there < wanted else f"column {wanted + 1}"
    raise InvalidInput(_where(file.name, line, column), f"the row has {there} of {wanted} columns", allowed)


def _where(file: str, line: int, column: str) -> str:
    return f"{file}:{line}: {column}"


def _header(file: DayFile) -> str:
    return f"text whose first line is, with tabs between: {', '.join(file.columns)}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
