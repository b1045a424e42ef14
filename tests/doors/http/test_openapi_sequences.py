"""Sequences of requests in all roles get the responses that the OpenAPI document describes.

``ORDERFLOW_TEST_SEQUENCES`` is the number of sequences, which are then random; the default is a short, fixed run.
"""

import asyncio
import os
from collections import Counter
from decimal import Decimal
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import (
    booleans,
    characters,
    composite,
    from_regex,
    integers,
    lists,
    none,
    one_of,
    sampled_from,
    text,
    tuples,
)
from orderflow.adapters.payment_gateway import sandbox
from orderflow.domain.consent import RestaurantOrders
from orderflow.domain.currency import MINOR_UNITS
from orderflow.domain.payment import PaymentMethod

from tests.doors.http.test_openapi import PROMISES, described, without_security
from tests.support.door import BOSS, CUSTOMER, FEATURES, RESTAURANT, SHIPPER, Installation, an_order, as_local, calling

SEQUENCES = os.environ.get("ORDERFLOW_TEST_SEQUENCES")
PARTIES = {"userId": "C1", "restaurantId": "R7", "shipperId": "S3"}
"""The ids that requests name, so that each role has a part in the orders."""
OTHERS = "/stream$|/analytics/|/restaurants/|^/livez|^/readyz|:batch$"
"""Paths that are left out: a stream has no end, a batch is tested elsewhere, and the others change no order."""
CARDS = [sandbox.SUCCESS, sandbox.DECLINE, sandbox.INSUFFICIENT_FUNDS]
PLACE = "POST /v1/orders"
CHANGES = {
    "PATCH /v1/orders/{order_id}/state": {"state": "preparing"},
    "POST /v1/orders/{order_id}/cancel": {"reason": "changed my mind"},
}
"""Requests that a new order allows an administrator; what is drawn at random may never be one of them."""

IDENTIFIERS = from_regex(r"[!-~]{1,64}", fullmatch=True).filter(lambda text: text not in (".", ".."))
ORDER_IDS = from_regex(r"[A-Za-z0-9!$&'()*+,:;=@_~-]{1,64}", fullmatch=True)
"""Without the characters that the client would have to encode in a path, which it does only for its own values."""
TEXT = text(characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@composite
def valid_orders(draw: Any) -> dict[str, Any]:
    """Generate bodies that place an order, in any currency, with amounts in its minor units."""
    currency = draw(sampled_from([*MINOR_UNITS]))
    unit = Decimal(1).scaleb(-MINOR_UNITS[currency])
    order_lines, goods = [], Decimal(0)
    for _ in range(draw(integers(1, 4))):
        price, quantity = draw(integers(1, 10**8)) * unit, draw(integers(1, 99))
        discount = draw(integers(0, int(price * quantity / unit) - 1)) * unit
        goods += price * quantity - discount
        line = {"foodId": draw(IDENTIFIERS), "foodName": draw(TEXT), "price": float(price), "quantity": quantity}
        order_lines.append(line | ({"discount": float(discount)} if draw(booleans()) or discount else {}))
    method = draw(sampled_from([*PaymentMethod, "card"]))
    optional = {
        "orderId": draw(ORDER_IDS),
        "totalPrice": float(goods + draw(integers(0, 10_000)) * unit),
        "address": {"street": draw(TEXT), "city": draw(TEXT), "postalCode": "12345", "note": draw(TEXT)},
    }
    return {
        **{name: PARTIES[name] for name in ("userId", "restaurantId")},
        "orderDetails": order_lines,
        "paymentMethod": method,
        "currency": currency,
        **{name: value for name, value in optional.items() if draw(booleans())},
        **({} if method == PaymentMethod.CASH else {"cardToken": draw(sampled_from(CARDS))}),
    }


def test_every_response_in_a_sequence_of_requests_in_all_roles_is_as_documented() -> None:
    app = Installation(restaurants=RestaurantOrders.ALL).app(features=FEATURES, limits={"requests_per_second": 100_000})
    answered: Counter[tuple[str, int]] = Counter()

    async def place() -> str:
        async with calling(app) as client:
            response = await client.post("/v1/orders", json=an_order())
            return str(response.json()["orderId"])

    schema = schemathesis.openapi.from_dict(without_security(asyncio.run(described(app)))).exclude(path_regex=OTHERS)
    schema.app = as_local(app)
    operations = [result.ok() for result in schema.get_all_operations()]
    by_label = {each.label: each for each in operations}
    of_one_order = [each.as_strategy() for each in operations if "{order_id}" in each.path]
    requests = one_of(one_of(*of_one_order), one_of(*(each.as_strategy() for each in operations)))
    roles = sampled_from([BOSS, CUSTOMER, RESTAURANT, SHIPPER])

    def respond(case: schemathesis.Case, role: str) -> Any:
        response = case.call(headers={"X-Actor": role})
        answered[case.operation.label, response.status_code] += 1
        case.validate_response(response, checks=PROMISES)
        return response

    @settings(
        max_examples=int(SEQUENCES or 60),
        derandomize=SEQUENCES is None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        first=valid_orders(),
        steps=lists(tuples(requests, roles, booleans(), one_of(none(), valid_orders())), min_size=10, max_size=20),
    )
    def sequence(
        first: dict[str, Any], steps: list[tuple[schemathesis.Case, str, bool, dict[str, Any] | None]]
    ) -> None:
        respond(by_label[PLACE].Case(body=first, media_type="application/json"), BOSS)
        path = {"order_id": asyncio.run(place())}
        for label, body in CHANGES.items():
            respond(by_label[label].Case(path_parameters=path, body=body, media_type="application/json"), BOSS)
        order_id = asyncio.run(place())
        for case, role, existing, order in steps:
            if existing and "order_id" in case.path_parameters:
                case.path_parameters["order_id"] = order_id
                case.headers.pop("If-Match", None)
            if isinstance(case.body, dict):
                case.body.update({name: known for name, known in PARTIES.items() if name in case.body})
            valid = case.operation.label == PLACE and order is not None
            if valid:
                case.body = order
                case.headers.pop("Idempotency-Key", None)
            response = respond(case, role)
            if valid and role != SHIPPER:
                assert response.status_code in (200, 201, 409), response.text
                order_id = response.json().get("orderId", order_id)  # which later requests are about

    sequence()

    assert answered[PLACE, 201], answered
    assert all(answered[label, 200] for label in CHANGES), answered
