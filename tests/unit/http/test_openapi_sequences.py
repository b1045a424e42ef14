"""Sequences of requests in all roles get the responses that the OpenAPI document describes.

``ORDERFLOW_TEST_SEQUENCES`` is the number of sequences, which are then random; the default is a short, fixed run.
"""

import asyncio
import os
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans, lists, one_of, sampled_from, tuples

from tests.support.door import BOSS, CUSTOMER, RESTAURANT, SHIPPER, Installation, an_order, calling
from tests.unit.http.test_openapi import PROMISES, without_security

SEQUENCES = os.environ.get("ORDERFLOW_TEST_SEQUENCES")
PARTIES = {"userId": "C1", "restaurantId": "R7", "shipperId": "S3"}
"""The ids that requests name, so that each role has a part in the orders."""
OTHERS = "/stream$|/analytics/|^/livez|^/readyz"
"""Paths that are left out: a stream has no end, and the others change no order."""


def test_every_response_in_a_sequence_of_requests_in_all_roles_is_as_documented() -> None:
    app = Installation().app(limits={"requests_per_second": 100_000})
    answered: Counter[tuple[str, int]] = Counter()

    async def prepare() -> dict[str, Any]:
        async with calling(app) as client:
            return without_security((await client.get("/openapi.json")).json())

    async def place() -> str:
        async with calling(app) as client:
            response = await client.post("/v1/orders", json=an_order())
            return str(response.json()["orderId"])

    schema = schemathesis.openapi.from_dict(asyncio.run(prepare())).exclude(path_regex=OTHERS)
    schema.app = app
    requests = one_of(*(result.ok().as_strategy() for result in schema.get_all_operations()))
    roles = sampled_from([BOSS, CUSTOMER, RESTAURANT, SHIPPER])

    @settings(
        max_examples=int(SEQUENCES or 40),
        derandomize=SEQUENCES is None,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=lists(tuples(requests, roles, booleans()), min_size=10, max_size=20))
    def sequence(steps: list[tuple[schemathesis.Case, str, bool]]) -> None:
        order_id = asyncio.run(place())
        for case, role, existing in steps:
            if existing and "order_id" in case.path_parameters:
                case.path_parameters["order_id"] = order_id
                case.headers.pop("If-Match", None)
            if isinstance(case.body, dict):
                case.body.update({name: known for name, known in PARTIES.items() if name in case.body})
            response = case.call(headers={"X-Actor": role})
            answered[case.operation.label, response.status_code] += 1
            case.validate_response(response, checks=PROMISES)

    sequence()

    changed = {label for label, status in answered if status == 200 and not label.startswith("GET")}
    assert {"PATCH /v1/orders/{order_id}/state", "POST /v1/orders/{order_id}/cancel"} <= changed, answered
