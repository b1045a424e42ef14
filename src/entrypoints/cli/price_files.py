"""Reads the prices of a file: CSV with a header, or JSON as one array or one price a line."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice

from ...application.prices.change_prices import PriceEntry
from ...domain.errors import InvalidInput
from ...domain.money import Money, exact
from ...domain.prices import MAX_PRICES, Price
from ..http.parameters import parse_time
from ..http.price_bodies import price_entry
from .documents import Documents

REQUIRED, OPTIONAL = ("itemId", "name", "price"), ("currency", "available", "until")
_COLUMNS = f"{', '.join(REQUIRED)}, and perhaps {', '.join(OPTIONAL)}, separated by commas"
_FLAGS = {"": True, "true": True, "false": False}


def price_entries(content: bytes, currency: str) -> Sequence[PriceEntry]:
    """Return the price, or the error, of each line; not more than one above what a restaurant may have.

    A price without a currency is in ``currency``. Raises InvalidInput if the file as a whole is neither CSV nor JSON.
    """
    read = _of_json if content.lstrip()[:1] in (b"[", b"{") else _of_csv
    return list(islice(read(content, currency), MAX_PRICES + 1))


def _of_json(content: bytes, currency: str) -> Iterator[PriceEntry]:
    documents = Documents(len(content))
    for found in (documents.feed(content), documents.end()):
        for document in found:
            yield price_entry(f"line {document.line}", document.content or b"", currency)


def _of_csv(content: bytes, currency: str) -> Iterator[PriceEntry]:
    rows = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    header: list[str] | None = None
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            raise InvalidInput(f"line {line}", f"it is not CSV: {error}", "CSV as in RFC 4180") from error
        if header is None:
            header = _header(row)
        elif row:
            yield PriceEntry(f"line {line}", _price(dict(zip(header, row, strict=False)), len(header), row, currency))
    if header is None:
        raise InvalidInput("line 1", "the file is empty", f"CSV with the columns {_COLUMNS}; or JSON")


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInput(f"line {line}", "it is not UTF-8", "a file in UTF-8") from error


def _header(row: Sequence[str]) -> list[str]:
    names = [name.strip() for name in row]
    unknown = [name for name in names if name not in (*REQUIRED, *OPTIONAL)]
    missing = [name for name in REQUIRED if name not in names]
    if unknown or missing or len(set(names)) < len(names):
        problem = f"there is no column {unknown[0][:80]!r}" if unknown else "columns are missing or repeated"
        raise InvalidInput("line 1", problem, f"the columns {_COLUMNS}")
    return names


def _price(values: dict[str, str], columns: int, row: Sequence[str], currency: str) -> Price | InvalidInput:
    try:
        if len(row) != columns:
            raise InvalidInput("", f"it has {len(row)} columns", f"{columns} columns, as in line 1")
        available, until = values.get("available", "").strip().lower(), values.get("until", "").strip()
        if available not in _FLAGS:
            raise InvalidInput("available", f"{available[:80]!r} is neither", "true or false")
        return Price(
            item_id=values["itemId"].strip(),
            name=values["name"],
            price=Money(exact(values["price"].strip(), field="price"), values.get("currency", "").strip() or currency),
            available=_FLAGS[available],
            until=parse_time(until, "until") if until else None,
        )
    except InvalidInput as error:
        return error
