"""The promises of every storage of price lists."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from ..domain.errors import InvalidInput, NotFound, PriceListChanged
from ..domain.money import Money
from ..domain.prices import MAX_PRICES, Price, PriceList
from .orders import AT

PIZZA = Price(item_id="F1", name="Pizza", price=Money(Decimal("12.50"), "EUR"))
SOUP = Price(
    item_id="F2",
    name="Soupe à l'oignon 🧅 'quoted', \"twice\"",
    price=Money(Decimal("12.125"), "KWD"),
    available=False,
    until=AT + timedelta(microseconds=1),
)
FREE = Price(item_id="F3", name="Napkins", price=Money(Decimal(0), "JPY"), until=datetime.min.replace(tzinfo=UTC))


@pytest.mark.asyncio
class PriceListsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_restaurant_without_prices_has_an_empty_list(self, storage: Any) -> None:
        found = await storage.prices.get("R7")

        assert found == PriceList(restaurant_id="R7", version=0, prices={})
        assert not await storage.prices.any()

    async def test_prices_are_kept_as_they_were_given(self, storage: Any) -> None:
        before, after = await storage.prices.change("R7", [SOUP, PIZZA, FREE], at=AT)

        found = await storage.prices.get("R7")
        assert (before.version, after) == (0, found)
        assert found == PriceList(restaurant_id="R7", version=1, prices={"F1": PIZZA, "F2": SOUP, "F3": FREE})
        assert list(found.prices) == ["F1", "F2", "F3"]
        assert [str(price.price.amount) for price in found.prices.values()] == ["12.50", "12.125", "0"]
        assert await storage.prices.any()

    async def test_a_price_replaces_the_earlier_one_of_its_item_alone(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA, SOUP], at=AT)
        dearer = evolve(PIZZA, price=Money(Decimal("13.00"), "EUR"), available=False, until=AT)

        await storage.prices.change("R7", [dearer], at=AT)

        assert await storage.prices.get("R7") == PriceList(
            restaurant_id="R7", version=2, prices={"F1": dearer, "F2": SOUP}
        )

    async def test_prices_are_found_by_restaurant_and_item(self, storage: Any) -> None:
        other = evolve(PIZZA, name="Another pizza")
        await storage.prices.change("R7", [PIZZA, SOUP], at=AT)
        await storage.prices.change("R8", [other, FREE], at=AT)

        found = await storage.prices.find({("R7", "F1"), ("R8", "F1"), ("R7", "F3"), ("R9", "F1"), ("R8", "F3")})

        assert dict(found) == {("R7", "F1"): PIZZA, ("R8", "F1"): other, ("R8", "F3"): FREE}
        assert dict(await storage.prices.find(set())) == {}

    async def test_many_prices_are_found_at_once(self, storage: Any) -> None:
        many = [evolve(PIZZA, item_id=f"F{number}") for number in range(MAX_PRICES)]
        await storage.prices.change("R7", many, at=AT)

        found = await storage.prices.find({("R7", price.item_id) for price in many})

        assert len(found) == MAX_PRICES

    async def test_an_import_may_replace_the_whole_list(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA, SOUP], at=AT)
        await storage.prices.change("R8", [SOUP], at=AT)

        await storage.prices.change("R7", [FREE], replace=True, at=AT)

        assert dict((await storage.prices.get("R7")).prices) == {"F3": FREE}
        assert dict((await storage.prices.get("R8")).prices) == {"F2": SOUP}

    async def test_an_item_is_removed_once(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA, SOUP], at=AT)

        await storage.prices.change("R7", remove=["F1"], at=AT)

        with pytest.raises(NotFound):
            await storage.prices.change("R7", remove=["F1"], at=AT)
        assert await storage.prices.get("R7") == PriceList(restaurant_id="R7", version=2, prices={"F2": SOUP})

    async def test_the_version_of_a_list_goes_on_when_the_list_is_empty(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA], at=AT)
        await storage.prices.change("R7", remove=["F1"], at=AT)

        empty = await storage.prices.get("R7")

        assert empty == PriceList(restaurant_id="R7", version=2, prices={})
        assert not await storage.prices.any()

    async def test_what_is_so_already_changes_nothing(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA, SOUP], at=AT)

        before, after = await storage.prices.change("R7", [PIZZA], at=AT)
        await storage.prices.change("R7", [SOUP, PIZZA], replace=True, at=AT)

        assert before == after
        assert (await storage.prices.get("R7")).version == 1

    async def test_a_change_of_another_version_is_refused(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA], expected=0, at=AT)

        with pytest.raises(PriceListChanged) as refused:
            await storage.prices.change("R7", [SOUP], expected=0, at=AT)

        assert (refused.value.expected, refused.value.actual) == (0, 1)
        assert await storage.prices.get("R7") == PriceList(restaurant_id="R7", version=1, prices={"F1": PIZZA})

    async def test_of_several_editors_of_one_version_one_succeeds(self, storage: Any) -> None:
        await storage.prices.change("R7", [PIZZA], at=AT)
        edits = [evolve(PIZZA, name=f"Pizza {number}") for number in range(8)]

        outcomes: list[Any] = await asyncio.gather(
            *(storage.prices.change("R7", [edit], expected=1, at=AT) for edit in edits), return_exceptions=True
        )

        (done,) = [it for it in outcomes if not isinstance(it, PriceListChanged)]
        assert await storage.prices.get("R7") == done[1]
        assert done[1].version == 2

    async def test_concurrent_changes_without_a_version_all_happen(self, storage: Any) -> None:
        new = [evolve(PIZZA, item_id=f"F{number}") for number in range(8)]

        await asyncio.gather(*(storage.prices.change("R7", [price], at=AT) for price in new))

        found = await storage.prices.get("R7")
        assert (len(found.prices), found.version) == (8, 8)

    async def test_a_list_has_an_end_and_a_refused_change_leaves_nothing(self, storage: Any) -> None:
        full = [evolve(PIZZA, item_id=f"F{number}") for number in range(MAX_PRICES)]
        await storage.prices.change("R7", full, at=AT)

        with pytest.raises(InvalidInput, match=f"at most {MAX_PRICES}"):
            await storage.prices.change("R7", [evolve(PIZZA, name="dearer"), evolve(PIZZA, item_id="more")], at=AT)

        found = await storage.prices.get("R7")
        assert (found.version, len(found.prices), found.prices["F1"]) == (1, MAX_PRICES, PIZZA)

    async def test_restaurants_and_items_are_distinguished_byte_by_byte(self, storage: Any) -> None:
        await storage.prices.change("r7", [evolve(PIZZA, item_id="f1")], at=AT)

        assert dict(await storage.prices.find({("R7", "f1"), ("r7", "F1")})) == {}
        assert (await storage.prices.get("R7")).version == 0
