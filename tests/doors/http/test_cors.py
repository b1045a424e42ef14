"""Pages of other origins: only those that the settings name may call, on every path and with every status."""

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient, Response
from litestar import Litestar
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.http.cors import EXPOSED_HEADERS, REQUEST_HEADERS
from orderflow.entrypoints.settings_source import load_settings

from tests.support.door import BOSS, CUSTOMER, Installation, an_order, calling, placed

SHOP, OTHER = "https://shop.example.com", "https://evil.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,if-match"}


@pytest.fixture(scope="module")
def shared() -> tuple[Installation, Litestar]:
    installation = Installation()
    return installation, installation.app(
        features=["analytics", "board"],
        cors_origins=[SHOP, "http://localhost:3000"],
        limits={"requests_per_second": 100_000},
    )


@pytest.fixture
async def client(shared: tuple[Installation, Litestar]) -> AsyncIterator[AsyncClient]:
    installation, app = shared
    async with calling(app) as calls:
        del calls.headers["X-Actor"]
        calls.headers["Authorization"] = f"Bearer {await installation.token(BOSS)}"
        yield calls


def cross_origin(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def _each_kind_of_answer(client: AsyncClient, origin: str) -> list[Response]:
    """Answers of the direct way, of the framework, and of errors of both."""
    client.headers["Origin"] = origin
    answers = [
        await client.post("/v1/orders", json=an_order(orderId="O1")),
        await client.get("/v1/orders/O1"),
        await client.get("/v1/orders"),
        await client.get("/v1/orders/none"),
        await client.patch("/v1/orders/O1/state", json={"state": "delivered"}),
        await client.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"If-Match": '"7"'}),
        await client.post("/v1/orders", content=b"{", headers={"Content-Type": "application/json"}),
        await client.get("/v1/orders", headers={"Authorization": "Bearer of_none"}),
        await client.get("/none"),
        await client.put("/v1/orders"),
        await client.get("/v1/analytics/states"),
        await client.head("/v1/orders/O1"),
        await client.get("/openapi.json"),
    ]
    assert {answer.status_code for answer in answers} == {200, 201, 400, 401, 404, 405, 409, 412}
    return answers


async def test_a_page_of_an_origin_that_is_named_may_read_every_answer(client: AsyncClient) -> None:
    for answer in await _each_kind_of_answer(client, SHOP):
        assert cross_origin(answer) == {
            "access-control-allow-origin": SHOP,
            "access-control-expose-headers": ", ".join(EXPOSED_HEADERS),
        }, answer.request
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "null",
        "",
        "*",
        SHOP.upper(),
        SHOP + ".evil.example",
        SHOP + ":8443",
        SHOP + "/",
        "http://shop.example.com",
    ],
)
async def test_a_page_of_another_origin_may_read_none(client: AsyncClient, origin: str) -> None:
    for answer in await _each_kind_of_answer(client, origin):
        assert cross_origin(answer) == {}, answer.request
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/O1/state", "/v1/analytics/states", "/none", "*"])
async def test_the_browser_of_a_page_learns_what_it_may_send(client: AsyncClient, path: str) -> None:
    del client.headers["Authorization"]

    answer = await client.options(path, headers={"Origin": SHOP, **PREFLIGHT})

    assert (answer.status_code, answer.content) == (204, b"")
    assert cross_origin(answer) == {
        "access-control-allow-origin": SHOP,
        "access-control-allow-methods": "DELETE, GET, HEAD, PATCH, POST, PUT",
        "access-control-allow-headers": ", ".join(REQUEST_HEADERS),
        "access-control-expose-headers": ", ".join(EXPOSED_HEADERS),
        "access-control-max-age": "600",
    }


async def test_the_browser_of_another_page_learns_nothing(client: AsyncClient) -> None:
    answer = await client.options("/v1/orders", headers={"Origin": OTHER, **PREFLIGHT})

    assert cross_origin(answer) == {}
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_without_the_setting_no_browser_learns_anything(installation: Installation) -> None:
    async with calling(installation.app()) as boss:
        answers = [
            await boss.get("/v1/orders", headers={"Origin": "http://localhost"}),
            await boss.options("/v1/orders", headers={"Origin": SHOP, **PREFLIGHT}),
        ]

    assert [cross_origin(answer) for answer in answers] == [{}, {}]
    assert "Origin" not in "".join(answer.headers.get("vary", "") for answer in answers)


async def test_in_development_mode_a_page_that_is_named_still_needs_a_token(installation: Installation) -> None:
    app = installation.app(cors_origins=[SHOP])
    async with calling(app, CUSTOMER) as customer:
        await placed(customer)
        answer = await customer.get("/v1/orders/O1", headers={"Origin": SHOP})
        allowed = await customer.options("/v1/orders/O1", headers={"Origin": SHOP, **PREFLIGHT})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, SHOP)
    assert "x-actor" not in allowed.headers["access-control-allow-headers"].lower()


async def test_no_answer_allows_credentials_or_every_origin(client: AsyncClient) -> None:
    answers = await _each_kind_of_answer(client, SHOP)
    answers.append(await client.options("/v1/orders", headers={"Origin": SHOP, **PREFLIGHT}))

    assert not [answer for answer in answers if "access-control-allow-credentials" in answer.headers]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {SHOP}


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://*.example.com",
        "https://shop.example.com/",
        "https://shop.example.com/path",
        "https://Shop.example.com",
        "https://shop.example.com:443",
        "http://shop.example.com:80",
        "https://user@shop.example.com",
        "shop.example.com",
        "file://x",
        "https://shop.example.com\nX: y",
        "",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(InvalidInput, match="HTTP_CORS_ORIGINS"):
        load_settings(environment={"ORDERFLOW_HTTP_CORS_ORIGINS": f"{SHOP},{origin}"})


def test_several_origins_may_be_named() -> None:
    settings = load_settings(environment={"ORDERFLOW_HTTP_CORS_ORIGINS": f"{SHOP},http://[::1]:3000,http://a:8080"})

    assert settings.http_cors_origins == (SHOP, "http://[::1]:3000", "http://a:8080")
