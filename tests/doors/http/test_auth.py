"""Callers are authenticated by a token, or in development mode by a header."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from litestar import Litestar
from orderflow.application.auth import Scope, digest_of
from orderflow.entrypoints.http import new_token

from tests.support.door import BOSS, CUSTOMER, FEATURES, RESTAURANT, Installation, an_order, calling

EITHER_WAY = ("/v1/orders", "/v1/orders/o1")
"""A route of the framework, and one that is called directly, of an order that is not there."""


@pytest.fixture(scope="module")
def installation() -> Installation:
    """An installation that all tests share, each with tokens of its own."""
    return Installation()


@pytest.fixture(scope="module")
def app(installation: Installation) -> Litestar:
    return installation.app(limits={"requests_per_second": 100_000})


@pytest.fixture
async def anonymous(app: Litestar) -> AsyncIterator[AsyncClient]:
    async with calling(app) as client:
        del client.headers["X-Actor"]
        yield client


def test_a_token_has_a_prefix_and_a_digest_to_store() -> None:
    secret, digest = new_token()

    assert secret.startswith("of_")
    assert len(secret) >= 43
    assert digest == digest_of(secret) != secret


def test_tokens_are_unique() -> None:
    assert new_token() != new_token()


async def test_a_token_identifies_the_caller(installation: Installation, anonymous: AsyncClient) -> None:
    secret = await installation.token(CUSTOMER)

    answer = await anonymous.post("/v1/orders", json=an_order(), headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 201
    assert answer.json()["allowedActions"][0]["name"] == "cancelled"


async def test_the_scheme_may_be_in_lower_case(installation: Installation, anonymous: AsyncClient) -> None:
    secret = await installation.token(RESTAURANT)

    answer = await anonymous.get("/v1/orders", headers={"Authorization": f"bearer {secret}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("authorization", ["Bearer of_unknown", "Bearer ", "Bearer", "Basic YTpi", ""])
async def test_an_invalid_token_is_refused(
    installation: Installation, anonymous: AsyncClient, authorization: str
) -> None:
    await installation.token(RESTAURANT)

    answer = await anonymous.get("/v1/orders", headers={"Authorization": authorization, "X-Actor": BOSS})

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:8080"},
        {"Host": "127.0.0.1"},
        {"Host": "127.9.9.9:80"},
        {"Host": "[::1]:8080"},
        {"Host": "localhost:8080", "Origin": "http://localhost:8080"},
        {"Host": "127.0.0.1:8443", "Origin": "https://127.0.0.1:8443"},
    ],
)
async def test_the_actor_header_is_trusted_in_requests_of_this_machine(
    anonymous: AsyncClient, headers: dict[str, str]
) -> None:
    answers = [await anonymous.get(route, headers={"X-Actor": BOSS} | headers) for route in EITHER_WAY]

    assert [answer.status_code for answer in answers] == [200, 404]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": "0.0.0.0"},
        {"Host": "[::]"},
        {"Host": ""},
        {"Host": "localhost:8080", "Origin": "http://evil.example"},
        {"Host": "localhost:8080", "Origin": "http://localhost:3000"},
        {"Host": "localhost:8080", "Origin": "null"},
        {"Host": "localhost:8080", "Origin": ""},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Anything": ""},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
        {"Client-IP": "127.0.0.1"},
        {"CF-Connecting-IP": "127.0.0.1"},
        {"X-Envoy-External-Address": "127.0.0.1"},
        {"X-Original-Host": "localhost"},
    ],
)
async def test_the_actor_header_is_not_trusted_in_a_request_that_may_be_forged(
    anonymous: AsyncClient, headers: dict[str, str]
) -> None:
    answers = [await anonymous.get(route, headers={"X-Actor": BOSS} | headers) for route in EITHER_WAY]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert all("straight from this machine" in answer.json()["detail"] for answer in answers)


@pytest.mark.parametrize("peer", ["192.0.2.1", "::ffff:192.0.2.1", "testclient", ""])
async def test_the_actor_header_of_another_machine_is_not_trusted(installation: Installation, peer: str) -> None:
    app: Any = installation.app()
    transport = ASGITransport(app, client=(peer, 50_000))
    async with AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/v1/orders", headers={"X-Actor": BOSS})

    assert (answer.status_code, "another address" in answer.json()["detail"]) == (401, True)


async def test_a_token_is_accepted_next_to_the_actor_header_and_wins(installation: Installation) -> None:
    secret = await installation.token(RESTAURANT)

    async with calling(installation.app(features=FEATURES), BOSS) as client:
        headers = {"Authorization": f"Bearer {secret}", "Host": "evil.example"}
        answer = await client.get("/v1/customers/C1/export", headers=headers)

    assert answer.status_code == 403


async def test_the_actor_header_is_not_trusted_if_the_setting_is_off(installation: Installation) -> None:
    async with calling(installation.app(trust_actor_header=False)) as client:
        answer = await client.get("/v1/orders")

    assert answer.status_code == 401


async def test_without_a_token_the_response_explains_the_actor_header(anonymous: AsyncClient) -> None:
    answer = await anonymous.get("/v1/orders")

    assert answer.status_code == 401
    assert "X-Actor" in answer.json()["detail"]
    assert "customer:C1" in answer.json()["detail"]


@pytest.mark.parametrize("actor", ["", "me", "cook:C1", "customer:", "customer:two words"])
async def test_an_invalid_actor_is_refused(anonymous: AsyncClient, actor: str) -> None:
    answer = await anonymous.get("/v1/orders", headers={"X-Actor": actor})

    assert answer.status_code == 401
    assert "allowed" in answer.json()["detail"]


async def test_a_body_is_not_validated_before_authentication(anonymous: AsyncClient) -> None:
    answer = await anonymous.post("/v1/orders", json={"nonsense": 1})

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", "/docs"])
async def test_health_and_documentation_need_no_authentication(
    installation: Installation, anonymous: AsyncClient, path: str
) -> None:
    await installation.token(RESTAURANT)

    answer = await anonymous.get(path)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("scopes", "method", "path", "body", "allowed"),
    [
        ("read", "GET", "/v1/orders", None, True),
        ("read", "HEAD", "/v1/orders", None, True),
        ("read", "GET", "/v1/orders:count", None, True),
        ("write", "POST", "/v1/orders", an_order(), True),
        ("write operate", "GET", "/v1/orders", None, False),
        ("read operate", "POST", "/v1/orders", an_order(), False),
        ("read", "PATCH", "/v1/orders/O1/state", {"state": "preparing"}, False),
        ("", "GET", "/v1/orders", None, False),
    ],
)
async def test_a_token_is_for_its_scopes_only(
    installation: Installation,
    anonymous: AsyncClient,
    scopes: str,
    method: str,
    path: str,
    body: object,
    allowed: bool,
) -> None:
    secret = await installation.token(BOSS, scopes=frozenset(map(Scope, scopes.split())))

    answer = await anonymous.request(method, path, json=body, headers={"Authorization": f"Bearer {secret}"})

    assert answer.is_success is allowed
    if not allowed:
        needed = "read" if method == "GET" else "write"
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        assert f'error="insufficient_scope", scope="{needed}"' in answer.headers["www-authenticate"]
