"""Reads and writes a day as a folder of four tab-separated files.

The format is that of the Meal Delivery Routing Problem instances published by Reyes, Erera, Savelsbergh,
Sahasrabudhe and O'Neil (2018). The first line of each file names its columns.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar, get_args

from msgspec import Struct, ValidationError, convert
from msgspec.structs import astuple, fields

from ...domain.errors import InvalidInput
from ...domain.text import shown
from .day import Courier, Day, DayOrder, Parameters, Restaurant, format_number

FILES: Mapping[type[Struct], str] = {
    DayOrder: "orders.txt",
    Courier: "couriers.txt",
    Restaurant: "restaurants.txt",
    Parameters: "instance_parameters.txt",
}
MAX_NAME = 32
MAX_CHARACTERS = 200_000_000
"""Characters of one file; a day of a million orders has a sixth of them."""
_FIRST_LINE = 2
"""The line of a file's first row: line 1 is the header."""

Row = TypeVar("Row", bound=Struct)


def read_day(folder: Path) -> Day:
    """Read the day in ``folder``, and name it after the folder.

    Raises:
        InvalidInput: for the first thing that is wrong; its field is ``FILE``, ``FILE:LINE`` or ``FILE:LINE: COLUMN``.
    """
    parameters = _read(folder, Parameters)
    if len(parameters) != 1:
        raise InvalidInput(FILES[Parameters], f"{len(parameters)} rows below the header", "one row of parameters")
    restaurants, couriers, orders = _read(folder, Restaurant), _read(folder, Courier), _read(folder, DayOrder)
    for file_rows in (restaurants, couriers, orders):
        _check_unique(file_rows)
    for line, courier in enumerate(couriers, _FIRST_LINE):
        _check_sequence(Courier, line, on_time=courier.on, off_time=courier.off)
    known = {restaurant.id for restaurant in restaurants}
    for line, order in enumerate(orders, _FIRST_LINE):
        if order.restaurant not in known:
            problem = f"there is no restaurant {order.restaurant!r}"
            raise InvalidInput(_cell(DayOrder, line, "restaurant"), problem, f"a restaurant of {FILES[Restaurant]}")
        _check_sequence(DayOrder, line, placement_time=order.placed_at, ready_time=order.ready_at)
    return Day(
        # The name begins the orders' ids.
        name=re.sub(r"[^!-~]+", "-", folder.resolve().name)[:MAX_NAME] or "day",
        orders=tuple(orders),
        couriers=tuple(couriers),
        restaurants=tuple(restaurants),
        parameters=parameters[0],
    )


def write_day(day: Day, folder: Path) -> None:
    """Write the four files of ``day``, which replace files of those names. Create ``folder`` if it is missing.

    ``read_day(folder)`` returns an equal day if the folder has the day's name. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, DayOrder, day.orders)
    _write(folder, Courier, day.couriers)
    _write(folder, Restaurant, day.restaurants)
    _write(folder, Parameters, [day.parameters])


def _write(folder: Path, kind: type[Struct], rows: Iterable[Struct]) -> None:
    cells = ([cell if isinstance(cell, str) else format_number(cell) for cell in astuple(row)] for row in rows)
    lines = ("\t".join(line) + "\n" for line in (_columns(kind), *cells))
    (folder / FILES[kind]).write_text("".join(lines), encoding="utf-8", newline="\n")


def _read(folder: Path, kind: type[Row]) -> list[Row]:
    """Read the rows of one file. Bytes that are not UTF-8 become surrogates, which no cell may contain."""
    file, columns = FILES[kind], _columns(kind)
    listed = f"{len(columns)} columns separated by tabs: {', '.join(columns)}"
    try:
        with (folder / file).open(encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read(MAX_CHARACTERS + 1)
    except OSError as e:
        raise InvalidInput(file, f"{folder / file} cannot be read: {e.strerror or e}", f"a file of {listed}") from e
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(file, f"it has more than {MAX_CHARACTERS:,} characters", f"a file of {listed}")
    header, *lines = text.removesuffix("\n").split("\n")
    for column, found in zip_longest(columns, header.split("\t"), fillvalue=""):
        if column != found:
            raise InvalidInput(
                f"{file}:1: {column or 'after the last column'}", f"the header has {shown(found)}", listed
            )
    rows = []
    for number, line in enumerate(lines, _FIRST_LINE):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise InvalidInput(f"{file}:{number}", f"the number of columns is {len(cells)}", listed)
        row = dict(zip(columns, cells, strict=True))
        try:
            rows.append(convert(row, kind, strict=False))
        except ValidationError as e:
            # The message ends with the path of the cell, such as `$.placement_time`.
            column = str(e).rpartition("$.")[2].rstrip("`")
            problem = f"{shown(row[column])} is not valid"
            raise InvalidInput(_cell(kind, number, column), problem, _allowed(kind, column)) from e
    return rows


def _allowed(kind: type[Struct], column: str) -> str:
    """Return the description of the column's type."""
    types = {field.encode_name: field.type for field in fields(kind)}
    description: str = get_args(types[column])[1].description
    return description


def _check_unique(rows: Iterable[Restaurant | Courier | DayOrder]) -> None:
    lines: dict[str, int] = {}
    for line, row in enumerate(rows, _FIRST_LINE):
        if (first := lines.setdefault(row.id, line)) != line:
            kind = type(row)
            raise InvalidInput(
                _cell(kind, line, _columns(kind)[0]), f"{row.id!r} is on line {first} already", "a unique id"
            )


def _check_sequence(kind: type[Struct], line: int, **times: float) -> None:
    """Refuse a row whose second time is before its first; both are named by their columns."""
    (first, earliest), (second, time) = times.items()
    if time < earliest:
        least = format_number(earliest)
        problem = f"{format_number(time)} is before {first} {least}"
        raise InvalidInput(_cell(kind, line, second), problem, f"{least} or later")


def _columns(kind: type[Struct]) -> list[str]:
    return [field.encode_name for field in fields(kind)]


def _cell(kind: type[Struct], line: int, column: str) -> str:
    return f"{FILES[kind]}:{line}: {column}"
