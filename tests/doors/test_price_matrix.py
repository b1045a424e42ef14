"""The rights to read and change the prices of a restaurant, on every door: role x tie x action x door."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from orderflow.application.prices.change_prices import ChangePrices
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import OrderFlowError
from orderflow.domain.prices import Price
from orderflow.entrypoints.embedded import OrderFlow

from tests.doors.test_role_matrix import DONE, PRICE_ROUTES, House
from tests.support.every_command import commands
from tests.unit.domain.actors import ACTORS, ADMIN, eur

PIZZA = Price(item_id="F1", name="Pizza", price=eur("12.50"))
BODY = {"name": "Pizza", "price": 12.5, "currency": "EUR"}
LIST = {"prices": [{"itemId": "F1", **BODY}]}

RULES: Mapping[str, frozenset[Role]] = {
    "read": frozenset({Role.CUSTOMER}),
    "set": frozenset(),
    "import": frozenset(),
    "remove": frozenset(),
}
"""The roles, except admins, that may do it at every restaurant; the restaurant itself may do everything."""
ROUTES = {
    "read": ("GET", "prices", None, "listPrices"),
    "set": ("PUT", "prices/F1", BODY, "setPrice"),
    "import": ("PUT", "prices", LIST, "replacePrices"),
    "remove": ("DELETE", "prices/F1", None, "removePrice"),
}
COMMANDS = {
    "read": ("list", ()),
    "set": ("set", ("F1", "--name", "Pizza", "--price", "12.50", "--currency", "EUR")),
    "import": ("import", ("-",)),
    "remove": ("remove", ("F1",)),
}


def allowed(action: str, restaurant: str, by: Actor) -> bool:
    own = by == Actor(Role.RESTAURANT, restaurant)
    return own or by.role is Role.ADMIN or by.role in RULES[action]


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.mark.parametrize("by", ACTORS, ids=str)
@pytest.mark.parametrize("action", RULES)
def test_every_door_answers_what_the_rules_require(house: House, by: Actor, action: str) -> None:
    restaurant = "R1"
    flow = OrderFlow(house.container)
    prices = flow.prices
    listed = house.container.storage().prices
    expected = DONE if allowed(action, restaurant, by) else "prices_not_permitted"

    async def reset() -> None:
        await prices.change.import_(restaurant, [PIZZA], by=ADMIN, replace=True)

    async def embedded() -> str:
        asks: dict[str, Any] = {
            "read": lambda: prices.read(restaurant, by=by),
            "set": lambda: prices.change.set(restaurant, PIZZA, by=by),
            "import": lambda: prices.change.import_(restaurant, [PIZZA], by=by),
            "remove": lambda: prices.change.remove(restaurant, "F1", by=by),
        }
        try:
            await asks[action]()
        except OrderFlowError as error:
            return error.code
        return DONE

    answers = []
    before = None
    for ask in (embedded, lambda: _http(house, by, restaurant, action), lambda: _cli(house, by, restaurant, action)):
        asyncio.run(reset())
        before = asyncio.run(listed.get(restaurant))
        answers.append(asyncio.run(ask()) if ask is embedded else ask())
        if expected != DONE:
            assert asyncio.run(listed.get(restaurant)) == before

    assert answers == [expected] * 3


def _http(house: House, by: Actor, restaurant: str, action: str) -> str:
    method, path, body, _ = ROUTES[action]
    answer = asyncio.run(house.request(by, method, f"/v1/restaurants/{restaurant}/{path}", body))
    return answer.code


def _cli(house: House, by: Actor, restaurant: str, action: str) -> str:
    name, more = COMMANDS[action]
    answer = house.command(
        by, name, restaurant, *more, stdin=json.dumps(LIST["prices"]) if action == "import" else "", of="prices"
    )
    return DONE if answer.whole[0] == 0 else "prices_not_permitted" if "may not" in answer.whole[2] else "other"


def test_a_refusal_says_the_same_whether_there_are_prices_or_not(house: House) -> None:
    refused = [(by, action) for by in ACTORS for action in RULES if not allowed(action, "R3", by)]
    absent = [_whole(house, by, action) for by, action in refused]

    asyncio.run(house.container.prices().change.set("R3", PIZZA, by=ADMIN))

    assert [_whole(house, by, action) for by, action in refused] == absent


def _whole(house: House, by: Actor, action: str) -> Any:
    method, path, body, _ = ROUTES[action]
    return asyncio.run(house.request(by, method, f"/v1/restaurants/R3/{path}", body)).whole


def test_every_route_command_and_method_has_a_rule() -> None:
    methods = {name.rstrip("_") for name in vars(ChangePrices) if not name.startswith("_")}

    assert {route[3] for route in ROUTES.values()} == PRICE_ROUTES
    assert {it[1] for it in commands() if it[0] == "prices"} == {name for name, _ in COMMANDS.values()}
    assert methods - {"lists", "clock", "changed", "check"} == RULES.keys() - {"read"}
    assert ROUTES.keys() == COMMANDS.keys() == RULES.keys()
