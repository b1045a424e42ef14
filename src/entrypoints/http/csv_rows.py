"""Renders views as CSV (RFC 4180) of which a spreadsheet shows each text and computes none."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from operator import attrgetter
from typing import Any

from attrs import fields

from ...application.orders.order_view import AddressView, OrderView
from .views import camel, render

Columns = dict[str, Callable[[Any], object]]
"""The columns of a table by name, each with what returns its value of a view."""

_COMPUTED = re.compile('(^|[;\\t\\r\\n])(?="*[=+\\-@\uff1d\uff0b\uff0d\uff20])')
"""Places at which a spreadsheet would begin a formula. In many countries it divides cells at a semicolon, and some
programs do at tabs; the wide signs count in East Asian ones. https://owasp.org/www-community/attacks/CSV_Injection"""
_SKIPPED = ("\t", "\r", "\n")
"""Characters that some programs skip at the beginning of a cell."""


def columns_of(*names: str) -> Columns:
    """Return the columns of a view's fields, with their names in JSON."""
    return {camel(name): attrgetter(name) for name in names}


def order_columns() -> Columns:
    """Return the columns of an OrderView: all its fields but the actions, those of the address one by one."""
    columns: Columns = {}
    for field in fields(OrderView):
        match field.name:
            case "allowed_actions":
                continue
            case "address":
                columns |= {f"address{camel('_' + it.name)}": _of_address(it.name) for it in fields(AddressView)}
            case name:
                columns[camel(name)] = attrgetter(name)
    return columns


def _of_address(name: str) -> Callable[[Any], object]:
    return lambda view: None if view.address is None else getattr(view.address, name)


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Render ``rows``. None is an empty cell; what is neither text, number nor time is JSON."""
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([*map(_cell, row)] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case int() | float():
            return repr(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case str():
            return harmless(str(value))
        case _:
            return harmless(render(value).decode())


def harmless(text: str) -> str:
    """Return ``text`` with an apostrophe where a spreadsheet would begin to compute."""
    text = _COMPUTED.sub(r"\1'", text)
    return f"'{text}" if text.startswith(_SKIPPED) else text
