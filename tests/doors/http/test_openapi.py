"""The OpenAPI document and the API agree."""

import asyncio
import re
from typing import Any

import pytest
import schemathesis
from httpx import AsyncClient
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from litestar import Litestar
from schemathesis import checks

from tests.support.door import BOSS, FEATURES, Installation, as_local, calling, placed

PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]


async def described(app: Litestar) -> dict[str, Any]:
    async with calling(app) as client:
        answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture(scope="module")
def app() -> Litestar:
    """The application with all features, in which nothing is done."""
    return Installation().app(features=FEATURES)


@pytest.fixture(scope="module")
def document(app: Litestar) -> dict[str, Any]:
    return asyncio.run(described(app))


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_the_document_has_exactly_the_routes(app: Litestar, document: dict[str, Any]) -> None:
    routes = {
        f"{method} {re.sub(r':str', '', route.path)}"
        for route in app.routes
        for method in route.methods
        if route.path.startswith(("/v1", "/livez", "/readyz")) and method != "OPTIONS"
    }

    assert set(operations(document)) == routes
    assert len(routes) == 58


def test_the_document_is_openapi_3_1_with_both_security_schemes(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["token"] == {
        "type": "http",
        "scheme": "bearer",
        "description": "created by: orderflow tokens make --role ROLE --id ID",
    }
    assert document["components"]["securitySchemes"]["actor"]["name"] == "X-Actor"


async def test_the_actor_header_is_not_documented_if_it_is_not_trusted(installation: Installation) -> None:
    document = await described(installation.app(trust_actor_header=False))

    assert list(document["components"]["securitySchemes"]) == ["token"]


def test_every_operation_has_a_description_and_its_errors(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation["summary"], name
        assert operation["description"], name
        if "/v1/" in name:
            problem = operation["responses"]["401"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}, name


def test_every_write_of_an_order_has_an_idempotency_key_and_every_change_a_version(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        if "/v1/orders" not in name:
            continue
        headers = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "header"}
        if not name.startswith("GET"):
            creations = {"POST /v1/orders": {"Idempotency-Key"}, "POST /v1/orders:batch": set[str]()}
            assert headers == creations.get(name, {"Idempotency-Key", "If-Match"}), name
    assert "idempotencyKey" in document["components"]["schemas"]["BatchOrder"]["properties"]


async def test_the_examples_are_valid(boss: AsyncClient, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    (order,) = schemas["PlaceOrder"]["examples"]
    answer = await boss.post("/v1/orders", json=order)

    assert answer.status_code == 201, answer.text
    (example,) = schemas["OrderView"]["examples"]
    assert set(example) == set(answer.json()) == set(schemas["OrderView"]["required"])
    Draft202012Validator({**document, "$ref": "#/components/schemas/OrderView"}).validate(example)


def test_bodies_allow_no_unknown_fields(document: dict[str, Any]) -> None:
    schemas = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for operation in operations(document).values()
        if "requestBody" in operation
    ]
    bodies = {schema.get("items", schema)["$ref"].rpartition("/")[2] for schema in schemas}

    assert len(bodies) == 19
    for name in bodies | {"LineBody", "AddressBody", "ItemPriceBody"}:
        assert document["components"]["schemas"][name]["additionalProperties"] is False, name


def test_amounts_are_numbers(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["LineBody"]["properties"]["price"]["type"] == "number"
    assert schemas["OrderView"]["properties"]["totalPrice"]["type"] == "number"
    assert schemas["MinuteSales"]["properties"]["grossRevenue"]["type"] == "number"


@pytest.fixture(scope="module")
def api() -> Any:
    """Return the operations of the document for schemathesis, with an app that has order O1."""
    app = Installation().app(features=FEATURES)

    async def prepare() -> dict[str, Any]:
        async with calling(app) as client:
            await placed(client)
        return without_security(await described(app))

    schema = schemathesis.openapi.from_dict(asyncio.run(prepare()))
    schema.app = as_local(app)
    return {result.ok().label: result.ok() for result in schema.get_all_operations()}


def without_security(document: dict[str, Any]) -> dict[str, Any]:
    """Remove the security from the document. Authentication is tested elsewhere."""
    for operation in operations(document).values():
        operation.pop("security", None)
    document.pop("security")
    return document


OPERATIONS = [
    "GET /v1/orders",
    "GET /v1/orders:count",
    "GET /v1/notifications",
    "POST /v1/stream-tickets",
    "POST /v1/orders:batch",
    "GET /v1/orders/{order_id}/stream",
    "GET /v1/analytics/minutes",
    "GET /v1/analytics/states",
    "GET /readyz",
]
"""Those that tests/doors/http/test_openapi_sequences.py leaves out, or asks only now and then."""


def bounded(examples: int) -> settings:
    """Return settings for a fixed set of this many examples."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


async def test_an_application_without_a_feature_has_and_describes_the_others(installation: Installation) -> None:
    app = installation.app(streams=None)
    absent = {"/v1/stream", "/v1/analytics/states", "/v1/notifications", "/v1/webhook-endpoints"}

    paths = (await described(app))["paths"]
    async with calling(app) as client:
        answers = [await client.get(path) for path in ("/v1/orders", *absent)]

    assert "/v1/orders" in paths
    assert not absent & paths.keys()
    assert [answer.status_code for answer in answers] == [200, *[404] * len(absent)]


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_response_is_as_documented(api: Any, label: str) -> None:
    @bounded(20)
    @given(case=api[label].as_strategy())
    def request(case: schemathesis.Case) -> None:
        response = case.call(headers={"X-Actor": BOSS})
        case.validate_response(response, checks=PROMISES)

    request()


def test_requests_that_the_document_forbids_are_refused(api: Any) -> None:
    invalid = api["POST /v1/orders"].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @bounded(12)
    @given(case=invalid)
    def request(case: schemathesis.Case) -> None:
        response = case.call(headers={"X-Actor": BOSS})
        case.validate_response(response, checks=PROMISES)

    request()
