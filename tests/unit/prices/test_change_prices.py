"""The rights to read and change prices, what an import refuses, and the audit line of each change."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from orderflow.adapters.memory.prices import MemoryPriceLists
from orderflow.application.log_lines import EACH
from orderflow.application.prices.change_prices import ChangePrices, InvalidPrices, PriceEntry
from orderflow.application.prices.read_prices import ReadPrices
from orderflow.application.request_context import Request, answering
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import InvalidInput, NotFound, PricesNotPermitted
from orderflow.domain.money import Money
from orderflow.domain.prices import MAX_PRICES, Price

from tests.unit.domain.actors import ACTORS, AT, OTHER_RESTAURANT, RESTAURANT, eur

PIZZA = Price(item_id="F1", name="Pizza", price=eur("12.50"))
SOUP = Price(item_id="F2", name="Soup", price=eur("4.00"))


@pytest.fixture
def lists() -> MemoryPriceLists:
    return MemoryPriceLists()


@pytest.fixture
def change(lists: MemoryPriceLists) -> ChangePrices:
    return ChangePrices(lists, lambda: AT)


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [line for record in caplog.records for line in getattr(record, EACH, ())]


@pytest.mark.parametrize("by", ACTORS, ids=str)
@pytest.mark.parametrize("there", [False, True])
async def test_prices_are_changed_by_the_restaurant_or_an_admin_and_read_by_customers_too(
    lists: MemoryPriceLists, change: ChangePrices, by: Actor, there: bool
) -> None:
    if there:
        await change.set("R1", PIZZA, by=RESTAURANT)
    read = ReadPrices(lists)
    own = by in (RESTAURANT, Actor(Role.ADMIN, "A1"))
    answers = []

    for ask in (
        lambda: change.set("R1", PIZZA, by=by),
        lambda: change.import_("R1", [SOUP], by=by),
        lambda: change.remove("R1", "F1", by=by),
        lambda: read("R1", by=by),
    ):
        try:
            await ask()
            answers.append("done")
        except PricesNotPermitted as refused:
            answers.append(str(refused).replace("change", "...").replace("read the", "... the"))

    customer = by.role is Role.CUSTOMER
    assert [answer == "done" for answer in answers] == [own, own, own, own or customer]
    assert len({answer for answer in answers if answer != "done"}) <= 1


async def test_a_change_says_what_it_did(change: ChangePrices) -> None:
    await change.import_("R1", [PIZZA, SOUP], by=RESTAURANT)

    done = await change.import_("R1", [evolve(SOUP, name="Bisque"), evolve(SOUP, item_id="F3")], by=RESTAURANT)
    replaced = await change.import_("R1", [PIZZA], by=RESTAURANT, replace=True)

    assert (done.added, done.changed, done.removed, done.prices.version) == (1, 1, 0, 2)
    assert (replaced.added, replaced.changed, replaced.removed) == (0, 0, 2)


@pytest.mark.parametrize(
    "entries",
    [
        [PIZZA, evolve(PIZZA, price=Money(Decimal("12.505"), "EUR"))],
        [SOUP, PriceEntry("line 9", InvalidInput("price", "it is a text", "a number"))],
        [SOUP, PIZZA, evolve(PIZZA, name="again")],
        [SOUP, evolve(PIZZA, price=Money(Decimal("1"), "ZZZ"))],
        [SOUP, "no price"],
        [PIZZA] * (MAX_PRICES + 1),
    ],
)
async def test_nothing_is_imported_if_one_price_is_not_allowed(
    lists: MemoryPriceLists, change: ChangePrices, entries: Sequence[Any]
) -> None:
    with pytest.raises(InvalidInput):
        await change.import_("R1", entries, by=RESTAURANT)

    assert (await lists.get("R1")).version == 0


async def test_each_price_that_is_not_allowed_is_named(change: ChangePrices) -> None:
    entries = [
        PriceEntry("line 2", PIZZA),
        PriceEntry("line 3", InvalidInput("price", "it is a text", "a number")),
        PriceEntry("line 4", evolve(SOUP, price=Money(Decimal("0.5"), "JPY"))),
        PriceEntry("line 7", PIZZA),
    ]

    with pytest.raises(InvalidPrices) as refused:
        await change.import_("R1", entries, by=RESTAURANT)

    assert [(place, error.field) for place, error in refused.value.refused] == [
        ("line 3", "price"),
        ("line 4", "price"),
        ("line 7", "itemId"),
    ]
    assert (refused.value.field, refused.value.problem) == ("line 3/price", "it is a text (and 2 more)")


async def test_every_change_and_refusal_has_an_audit_line(
    change: ChangePrices, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orderflow.audit")

    await change.set("R1", PIZZA, by=RESTAURANT)
    with pytest.raises(PricesNotPermitted):
        await change.import_("R1", [SOUP], by=OTHER_RESTAURANT)
    with pytest.raises(NotFound):
        await change.remove("R1", "F9", by=RESTAURANT)
    with pytest.raises(InvalidInput):
        await change.remove("no such\nrestaurant", "F1", by=RESTAURANT)

    assert [
        (line["door"], line["actor"], line["action"], line["outcome"], line.get("subject", ""))
        for line in audited(caplog)
    ] == [
        ("process", "restaurant:R1", "set_price", "ok", "restaurant:R1"),
        ("process", "restaurant:R2", "import_prices", "prices_not_permitted", "restaurant:R1"),
        ("process", "restaurant:R1", "remove_price", "not_found", "restaurant:R1"),
        ("process", "restaurant:R1", "remove_price", "invalid_input", ""),
    ]


async def test_the_http_api_writes_its_own_line(change: ChangePrices, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "orderflow.audit")

    with answering(Request(door="http")):
        await change.set("R1", PIZZA, by=RESTAURANT)

    assert audited(caplog) == []


async def test_a_process_is_notified_of_each_of_its_changes(lists: MemoryPriceLists) -> None:
    notified: list[None] = []
    change = ChangePrices(lists, lambda: AT, lambda: notified.append(None))

    await change.set("R1", PIZZA, by=RESTAURANT)
    with pytest.raises(NotFound):
        await change.remove("R1", "F9", by=RESTAURANT)

    assert len(notified) == 1
