"""The prices of a restaurant, and the lines of an order that differ from them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from .currency import check_currency_in_use, in_minor_units, too_many_decimals
from .errors import InvalidInput, LineProblem, NotFound, PriceListChanged, RefusedLine
from .events import OrderLine
from .money import Money
from .text import identifier, shown, text
from .validation import MAX_NAME, utc

MAX_PRICES = 1_000
"""Prices of one restaurant."""


@frozen(kw_only=True)
class Price:
    """The name and price of one item of a restaurant, and whether it can be ordered.

    ``available`` holds until the time ``until``, if there is one, and from then on it is the other way round. Raises
    InvalidInput for what no line of an order may have; ``check_price`` has more checks for a new one.
    """

    item_id: str
    name: str
    price: Money
    available: bool = True
    until: datetime | None = None

    def __attrs_post_init__(self) -> None:
        identifier(self.item_id, field="itemId")
        text(self.name, field="name", at_least=1, at_most=MAX_NAME)
        if not isinstance(self.price, Money):
            raise InvalidInput("price", f"it is a {type(self.price).__name__}", "Money")
        if self.price.amount < 0:
            raise InvalidInput("price", f"{self.price}", "0 or more")
        if not isinstance(self.available, bool):
            raise InvalidInput("available", f"it is {shown(self.available)}", "True or False")
        if self.until is not None:
            object.__setattr__(self, "until", _time(self.until))

    def available_at(self, at: datetime) -> bool:
        """Return whether the item can be ordered at that time."""
        return self.available if self.until is None or at < self.until else not self.available


def check_price(price: Price) -> None:
    """Check that an order can be paid at this price. Raises InvalidInput."""
    check_currency_in_use(price.price.currency)
    if not in_minor_units(price.price):
        raise too_many_decimals(price.price, field="price")


@frozen(kw_only=True)
class PriceList:
    """The prices of one restaurant, by item. ``version`` is the number of its changes, 0 if it never had one."""

    restaurant_id: str
    version: int = 0
    prices: Mapping[str, Price]

    def changed(
        self,
        put: Iterable[Price],
        *,
        remove: Collection[str] = (),
        replace: bool = False,
        expected: int | None = None,
    ) -> "PriceList":
        """Return the list with ``put`` and without ``remove``; itself if nothing is different.

        With ``replace`` it has nothing but ``put``. Raises PriceListChanged if it is not at version ``expected``,
        NotFound if an item to remove has no price, InvalidInput if the list grows too long.
        """
        if expected is not None and expected != self.version:
            raise PriceListChanged(self.restaurant_id, expected, self.version)
        for item_id in remove:
            if item_id not in self.prices:
                raise NotFound("price of item", item_id)
        kept = {} if replace else {item: price for item, price in self.prices.items() if item not in remove}
        prices = kept | {price.item_id: price for price in put}
        check_number(len(prices))
        if prices == self.prices:
            return self
        return PriceList(
            restaurant_id=self.restaurant_id, version=self.version + 1, prices=dict(sorted(prices.items()))
        )


def check_number(prices: int) -> None:
    """Raise InvalidInput for more prices than a restaurant may have."""
    if prices > MAX_PRICES:
        raise InvalidInput("prices", f"there would be {prices} prices", f"at most {MAX_PRICES} of one restaurant")


def refused_lines(
    lines: Sequence[OrderLine], prices: Mapping[str, Price], *, at: datetime, discounts: bool
) -> tuple[RefusedLine, ...]:
    """Return the lines that differ from ``prices`` at that time; without ``discounts``, also those that have one."""
    problems = (
        (line_problem(line, prices.get(line.food_id), at=at, discounts=discounts), n, line)
        for n, line in enumerate(lines)
    )
    return tuple(
        _refused(n, line, problem, prices.get(line.food_id), at) for problem, n, line in problems if problem is not None
    )


def line_problem(line: OrderLine, price: Price | None, *, at: datetime, discounts: bool) -> LineProblem | None:
    """Return the first problem of ``line`` at this price of its item, None if there is none."""
    if price is None:
        return LineProblem.NOT_LISTED
    if not price.available_at(at):
        return LineProblem.NOT_AVAILABLE
    if line.price != price.price:
        return LineProblem.OTHER_PRICE
    if line.food_name != price.name:
        return LineProblem.OTHER_NAME
    return LineProblem.DISCOUNT if line.discount.amount and not discounts else None


def _refused(line: int, ordered: OrderLine, problem: LineProblem, price: Price | None, at: datetime) -> RefusedLine:
    if price is None:
        return RefusedLine(line=line, item_id=ordered.food_id, problem=problem)
    return RefusedLine(
        line=line,
        item_id=ordered.food_id,
        problem=problem,
        name=price.name,
        price=price.price.amount,
        currency=price.price.currency,
        available=price.available_at(at),
        until=price.until if price.until is not None and at < price.until else None,
    )


def _time(until: object) -> datetime:
    allowed = "a time with a zone, such as 2024-01-01T22:00:00Z"
    if not isinstance(until, datetime):
        raise InvalidInput("until", f"it is {shown(until)}", allowed)
    try:
        return utc(until)
    except InvalidInput as error:
        raise InvalidInput("until", error.problem, allowed) from error
