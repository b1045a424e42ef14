"""Changing the prices of a restaurant: one price, all of a file, or without an item."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from attrs import frozen

from ...domain.actor import Actor, Role, check_actor
from ...domain.errors import InvalidInput, OrderFlowError, PricesNotPermitted
from ...domain.prices import Price, PriceList, check_number, check_price
from ...domain.text import identifier, is_identifier
from ..audit import DONE, audit
from ..clock import Clock
from ..noop import noop
from ..request_context import current_request
from .ports import PriceLists

READERS = (Role.CUSTOMER,)
"""The roles that may read the prices of every restaurant, in addition to the restaurant itself and admins."""


def check_may(action: str, restaurant_id: str, by: Actor, *, readers: Collection[Role] = ()) -> None:
    """Check that ``by`` is the restaurant, an admin or one of ``readers``. Raises PricesNotPermitted, InvalidInput."""
    check_actor(by)
    identifier(restaurant_id, field="restaurantId")
    own = by.role is Role.RESTAURANT and by.id == restaurant_id
    if not own and by.role is not Role.ADMIN and by.role not in readers:
        raise PricesNotPermitted(str(by), restaurant_id, action)


class InvalidPrices(InvalidInput):
    """Several prices of which some are not allowed, so that none was stored. ``refused`` has each with its place."""

    def __init__(self, refused: Sequence[tuple[str, InvalidInput]]) -> None:
        place, first = refused[0]
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        field = f"{place}/{first.field}" if first.field else place
        super().__init__(field, first.problem + more, first.allowed)
        self.refused = tuple(refused)


@frozen
class PriceEntry:
    """One price of several, or why it is none. ``place`` is where the caller wrote it, such as ``line 4``."""

    place: str
    price: Price | InvalidInput


@frozen(kw_only=True)
class PriceChange:
    """The list after a change, with how many prices are new, different and gone."""

    prices: PriceList
    added: int
    changed: int
    removed: int

    @classmethod
    def between(cls, before: PriceList, after: PriceList) -> "PriceChange":
        """Compare two versions of a list."""
        old, new = before.prices, after.prices
        both = old.keys() & new.keys()
        return cls(
            prices=after,
            added=len(new) - len(both),
            changed=sum(old[item] != new[item] for item in both),
            removed=len(old) - len(both),
        )


@frozen
class ChangePrices:
    """Changes prices for the restaurant itself or an admin, with an audit line for each change and refusal.

    ``expected_version``, if given, must be the list's: it is what the editor has seen. Raises PricesNotPermitted,
    PriceListChanged, InvalidInput, NotFound, StorageUnavailable; then nothing was changed.
    """

    lists: PriceLists
    clock: Clock
    changed: Callable[[], None] = noop
    """Called after a change: this process forgets what it knew."""

    def check(self, restaurant_id: str, *, by: Actor) -> None:
        """Raise PricesNotPermitted, with an audit line, unless ``by`` may change prices of the restaurant."""
        try:
            check_may("change", restaurant_id, by)
        except PricesNotPermitted as error:
            _audit("set_price", restaurant_id, by, error.code)
            raise

    async def set(
        self, restaurant_id: str, price: Price, *, by: Actor, expected_version: int | None = None
    ) -> PriceChange:
        """Set the price of one item, which may be new."""
        return await self._audited(
            "set_price",
            restaurant_id,
            by,
            lambda: self._change(restaurant_id, [_price(price)], expected=expected_version),
        )

    async def remove(
        self, restaurant_id: str, item_id: str, *, by: Actor, expected_version: int | None = None
    ) -> PriceChange:
        """Remove the price of one item, which cannot be ordered any more."""
        return await self._audited(
            "remove_price",
            restaurant_id,
            by,
            lambda: self._change(
                restaurant_id, remove=[identifier(item_id, field="itemId")], expected=expected_version
            ),
        )

    async def import_(
        self,
        restaurant_id: str,
        entries: Sequence[PriceEntry | Price],
        *,
        by: Actor,
        replace: bool = False,
        expected_version: int | None = None,
    ) -> PriceChange:
        """Set the prices of all items, or of none if one is not allowed. With ``replace`` the others are removed.

        Raises InvalidPrices, which names each that is not allowed.
        """
        return await self._audited(
            "import_prices",
            restaurant_id,
            by,
            lambda: self._change(restaurant_id, _checked(entries), replace=replace, expected=expected_version),
        )

    async def _change(
        self,
        restaurant_id: str,
        put: Sequence[Price] = (),
        *,
        remove: Collection[str] = (),
        replace: bool = False,
        expected: int | None,
    ) -> PriceChange:
        before, after = await self.lists.change(
            restaurant_id, put, remove=remove, replace=replace, expected=expected, at=self.clock()
        )
        self.changed()
        return PriceChange.between(before, after)

    async def _audited(
        self, action: str, restaurant_id: str, by: Actor, change: Callable[[], Awaitable[PriceChange]]
    ) -> PriceChange:
        try:
            check_may("change", restaurant_id, by)
            done = await change()
        except OrderFlowError as error:
            _audit(action, restaurant_id, by, error.code)
            raise
        _audit(action, restaurant_id, by, DONE)
        return done


def _audit(action: str, restaurant_id: str, by: Actor, outcome: str) -> None:
    """Write the audit line, unless the HTTP API does, which knows the caller's token and address."""
    request = current_request()
    if request.door != "http":
        audit(
            request,
            door=request.door or "process",
            action=action,
            outcome=outcome,
            actor=str(by) if isinstance(by, Actor) else "",
            subject=f"restaurant:{restaurant_id}" if is_identifier(restaurant_id) else "",
        )


def _price(value: object) -> Price:
    if not isinstance(value, Price):
        raise InvalidInput("price", f"it is a {type(value).__name__}", "a Price")
    check_price(value)
    return value


def _checked(entries: Sequence[PriceEntry | Price]) -> list[Price]:
    """Return the prices. Raises InvalidPrices, which names each that is not allowed, and items given twice."""
    check_number(len(entries))
    refused: list[tuple[str, InvalidInput]] = []
    prices: dict[str, Price] = {}
    for number, entry in enumerate(entries):
        place, given = (entry.place, entry.price) if isinstance(entry, PriceEntry) else (f"prices/{number}", entry)
        try:
            if isinstance(given, InvalidInput):
                raise given
            price = _price(given)
            if price.item_id in prices:
                raise InvalidInput("itemId", f"{price.item_id!r} is given twice", "each item once")
            prices[price.item_id] = price
        except InvalidInput as error:
            refused.append((place, error))
    if refused:
        raise InvalidPrices(refused)
    return list(prices.values())
