"""The right to place a customer's order and take the money, on every door: action x role x tie x setting.

The expected outcome is computed from the rules of consent. An action without a rule, or without a request here, fails.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import frozen
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.actor import Actor
from orderflow.domain.consent import CONSENT, MoneyAction, RestaurantOrders
from orderflow.domain.errors import CommandRefused
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.embedded import OrderFlow

from tests.doors.test_role_matrix import DONE, NOT_FOUND, Ask, House, _plain, consents, house_with, rule
from tests.support.door import an_order
from tests.unit.domain.actors import ACTORS, line, place


@frozen
class Request:
    """A request for an action: the order's payment method, and whether the order exists already."""

    method: PaymentMethod
    pays: bool = False


REQUESTS: Mapping[MoneyAction, Request] = {
    MoneyAction.PLACE_CASH: Request(PaymentMethod.CASH),
    MoneyAction.PLACE_CARD: Request(PaymentMethod.CREDIT_CARD),
    MoneyAction.TAKE_CASH: Request(PaymentMethod.CASH, pays=True),
    MoneyAction.CHARGE_CARD: Request(PaymentMethod.CREDIT_CARD, pays=True),
}
PLACING = [action for action, request in REQUESTS.items() if not request.pays]
PAYING = [action for action, request in REQUESTS.items() if request.pays]
every_actor = pytest.mark.parametrize("by", ACTORS, ids=str)
every_setting = pytest.mark.parametrize("setting", RestaurantOrders)


def test_every_action_has_a_rule_and_a_request() -> None:
    assert CONSENT.keys() == REQUESTS.keys() == set(MoneyAction)


@every_setting
@every_actor
@pytest.mark.parametrize("action", PLACING)
def test_an_order_is_placed_by_whom_the_rule_names(setting: RestaurantOrders, by: Actor, action: MoneyAction) -> None:
    house, method = house_with(setting), REQUESTS[action].method
    order = place(method).order
    expected = DONE if consents(action, order, by, setting) else "not_permitted"
    body = an_order(
        userId=order.customer_id,
        restaurantId=order.restaurant_id,
        paymentMethod=method.value,
        cardToken=order.payment.card_token,
    )
    house.made += 1
    numbered = {**body, "orderId": f"I{house.made}"}

    placed = asyncio.run(house.request(by, "POST", "/v1/orders", body))
    (in_batch,) = json.loads(asyncio.run(house.request(by, "POST", "/v1/orders:batch", [body])).whole[2])
    created = house.command(by, "create", "-", stdin=json.dumps(body))
    imported = house.command(by, "import", "-", stdin=json.dumps(numbered))
    embedded = _embedded(house, by, order)

    assert (placed.code, embedded, in_batch.get("problem", {"code": DONE})["code"]) == (expected,) * 3
    assert (created.whole[0], imported.whole[0]) == ((0, 0) if expected == DONE else (4, 1))
    assert (expected == DONE) is (json.loads(imported.whole[1])["placed"] == 1)


def _embedded(house: House, by: Actor, order: Order) -> str:
    new = NewOrder(
        customer_id=order.customer_id,
        restaurant_id=order.restaurant_id,
        lines=[line()],
        payment_method=order.payment.method,
        card_token=order.payment.card_token,
        currency="EUR",
    )
    try:
        asyncio.run(OrderFlow(house.container).use_cases.create_order(new, by=by))
    except CommandRefused as refused:
        return refused.code
    return DONE


@every_setting
@every_actor
@pytest.mark.parametrize("action", PAYING)
@pytest.mark.parametrize("door", ["embedding", "http", "cli"])
def test_money_is_taken_by_whom_the_rule_names(
    setting: RestaurantOrders, by: Actor, action: MoneyAction, door: str
) -> None:
    house, ask = house_with(setting), Ask("record_payment")
    order = house.order("preparing S1", REQUESTS[action].method)
    expected = rule(order, by, ask, setting)
    assert (expected == DONE) is consents(action, order, by, setting)

    answer = getattr(house, door)(order.id, by, ask)

    assert answer.code == ("refused" if door == "cli" and expected not in (DONE, NOT_FOUND) else expected)
    assert (house.stored(order.id) == order) is (expected != DONE)
    moved = asyncio.run(house.installation.storage.attempts.of_order(order.id))
    assert bool(moved) is (expected == DONE and action is MoneyAction.CHARGE_CARD)


@every_setting
@every_actor
@pytest.mark.parametrize("method", [PaymentMethod.CASH, PaymentMethod.CREDIT_CARD])
def test_every_door_lists_the_payment_among_the_actions_of_whom_the_rule_names(
    setting: RestaurantOrders, by: Actor, method: PaymentMethod
) -> None:
    house = house_with(setting)
    order = house.order("preparing S1", method)
    if rule(order, by, Ask("get_order")) != DONE:
        return
    expected = rule(order, by, Ask("record_payment"), setting) == DONE

    shown: list[Any] = [
        house.http(order.id, by, Ask("get_order")).content,
        house.cli(order.id, by, Ask("get_order")).content,
        _plain(house.container.use_cases().view(order, by)),
    ]

    assert [("record_payment" in {it["name"] for it in each["allowedActions"]}) for each in shown] == [expected] * 3
