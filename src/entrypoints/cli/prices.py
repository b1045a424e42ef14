"""``orderflow prices``: the price lists of restaurants."""

import sys
from typing import Annotated, Literal

from attrs import evolve, frozen
from cyclopts import App, Parameter

from ...application.prices.change_prices import InvalidPrices, PriceChange
from ...application.prices.price_view import change_view, list_view
from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from ...domain.money import Money, exact
from ...domain.prices import Price
from ...domain.text import printable
from .arguments import OPERATOR, As, parse_time, read_file
from .session import InputFile, rows, session

app = App(name="prices")

Version = Annotated[int | None, Parameter(help="the version of the list that was decided upon; refused at another one")]


@frozen(kw_only=True)
class RefusedPrice:
    """A line of the file that is no price, and why."""

    line: int
    problem: str


@app.command(name="set")
async def set_(
    restaurant: str,
    item: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="the name that each order must have")] = None,
    price: Annotated[str | None, Parameter(help="such as 12.50")] = None,
    currency: Annotated[str | None, Parameter(help="an ISO 4217 code; default: the setting's")] = None,
    available: Annotated[Literal["on", "off"] | None, Parameter(help="whether it can be ordered")] = None,
    until: Annotated[str | None, Parameter(help="the time from which --available is the other way round")] = None,
    version: Version = None,
    as_: As = OPERATOR,
) -> None:
    """Set the price of ITEM at RESTAURANT, or whether it is available.

    What is not given stays as it is. A new item needs --name and --price.
    """
    actor = Actor.parse(as_)
    if until is not None and available is None:
        raise InvalidInput("until", "given without --available", "with --available on or off")
    async with session().opened(create=True) as container:
        prices = container.prices()
        prices.change.check(restaurant, by=actor)
        found = await prices.read(restaurant, by=actor)
        if (before := found.prices.get(item)) is None:
            if name is None or price is None:
                raise InvalidInput("name, price", f"{item!r} has no price yet", "--name and --price for a new item")
            before = Price(item_id=item, name=name, price=Money(exact(price, field="price"), _currency(currency)))
        money = before.price
        if price is not None or currency is not None:
            amount = money.amount if price is None else exact(price, field="price")
            money = Money(amount, money.currency if currency is None else currency)
        new = evolve(before, name=before.name if name is None else name, price=money)
        if available is not None:
            new = evolve(new, available=available == "on", until=parse_time(until, "until"))
        done = await prices.change.set(
            restaurant, new, by=actor, expected_version=found.version if version is None else version
        )
    _show(done)


@app.command(name="list")
async def list_(restaurant: str, /, *, as_: As = OPERATOR) -> None:
    """List the prices of RESTAURANT, with the version of the list."""
    actor = Actor.parse(as_)
    async with session().opened() as container:
        found = list_view(await container.prices().read(restaurant, by=actor))
    columns = ("item", "name", "price", "available", "until")
    lines = (
        (p.item_id, p.name, f"{p.price} {p.currency}", "on" if p.available else "off", p.until) for p in found.prices
    )
    session().show(found, rows(*columns, of=lines))
    if not session().json:
        session().info(f"version {found.version}")


@app.command(name="import")
async def import_(
    restaurant: str,
    file: InputFile,
    /,
    *,
    replace: Annotated[bool, Parameter(negative=(), help="remove every item that is not in FILE")] = False,
    version: Version = None,
    as_: As = OPERATOR,
) -> int:
    """Set the prices in FILE ('-': standard input), CSV or JSON: all of them, or none.

    CSV has a header: itemId, name, price, and perhaps currency, available (true or false) and until. JSON is an array,
    or one object a line, with the same names. Exits with 1 if a line is refused; each is named.
    """
    from .price_files import price_entries

    actor = Actor.parse(as_)
    entries = price_entries(read_file(file), session().settings.currency)
    async with session().opened(create=True) as container:
        try:
            done = await container.prices().change.import_(
                restaurant, entries, by=actor, replace=replace, expected_version=version
            )
        except InvalidPrices as error:
            refused = [
                RefusedPrice(line=int(place.removeprefix("line ")), problem=str(problem))
                for place, problem in error.refused
            ]
            _show_refused(refused)
            return 1
    _show(done)
    return 0


@app.command
async def remove(restaurant: str, item: str, /, *, version: Version = None, as_: As = OPERATOR) -> None:
    """Remove ITEM from the prices of RESTAURANT. It cannot be ordered any more."""
    actor = Actor.parse(as_)
    async with session().opened() as container:
        done = await container.prices().change.remove(restaurant, item, by=actor, expected_version=version)
    _show(done)


def _currency(given: str | None) -> str:
    return session().settings.currency if given is None else given


def _show(done: PriceChange) -> None:
    session().show(change_view(done))


def _show_refused(refused: list[RefusedPrice]) -> None:
    """Print that nothing was imported, and why: each line on standard error, or all in the JSON document."""
    if session().json:
        session().show({"imported": 0, "refused": refused})
        return
    for each in refused:
        sys.stderr.write(f"line {each.line}: {printable(each.problem)}\n")
    session().info("nothing was imported")
