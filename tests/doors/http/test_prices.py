"""The prices of a restaurant over HTTP, and orders that differ from them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient
from litestar import Litestar
from orderflow.domain.prices import MAX_PRICES

from tests.support.door import BOSS, CUSTOMER, RESTAURANT, Installation, an_order, calling

LIST = "/v1/restaurants/R7/prices"
PIZZA = {"name": "Pizza", "price": 12.5}


@pytest.fixture
def installation() -> Installation:
    return Installation(listed=True)


@pytest.fixture(scope="module")
def shared() -> Litestar:
    """An application for tests to which no list has to be empty."""
    return Installation(listed=True).app(features=["prices"])


@pytest.fixture
async def kitchen(installation: Installation) -> AsyncIterator[AsyncClient]:
    async with calling(installation.app(features=["prices"]), RESTAURANT) as client:
        yield client


@pytest.fixture
async def ann(installation: Installation) -> AsyncIterator[AsyncClient]:
    async with calling(installation.app(features=["prices"]), CUSTOMER) as client:
        yield client


async def test_a_price_is_set_read_and_removed(kitchen: AsyncClient, ann: AsyncClient) -> None:
    until = "2024-06-01T17:00:00Z"
    created = await kitchen.put(f"{LIST}/F1", json={**PIZZA, "currency": "EUR", "available": False, "until": until})
    read = await ann.get(LIST)
    removed = await kitchen.delete(f"{LIST}/F1")

    assert (created.status_code, created.headers["ETag"]) == (200, '"1"')
    assert created.json() == {"restaurantId": "R7", "version": 1, "added": 1, "changed": 0, "removed": 0}
    assert read.headers["ETag"] == '"1"'
    assert read.json()["prices"] == [
        {"itemId": "F1", "name": "Pizza", "price": 12.5, "currency": "EUR", "available": False, "until": until}
    ]
    assert (removed.json()["removed"], (await ann.get(LIST)).json()["prices"]) == (1, [])
    assert (await kitchen.delete(f"{LIST}/F1")).status_code == 404


async def test_two_editors_do_not_overwrite_each_other(kitchen: AsyncClient) -> None:
    seen = (await kitchen.get(LIST)).headers["ETag"]
    first = await kitchen.put(f"{LIST}/F1", json=PIZZA, headers={"If-Match": seen})

    late = [
        await kitchen.put(f"{LIST}/F1", json={**PIZZA, "price": 1}, headers={"If-Match": seen}),
        await kitchen.put(LIST, json={"prices": []}, headers={"If-Match": seen}),
        await kitchen.delete(f"{LIST}/F1", headers={"If-Match": seen}),
    ]

    assert first.status_code == 200
    assert [(it.status_code, it.json()["code"]) for it in late] == [(412, "prices_changed")] * 3
    assert (await kitchen.get(LIST)).json()["prices"][0]["price"] == 12.5


async def test_a_request_that_is_repeated_changes_nothing(kitchen: AsyncClient) -> None:
    answers = [await kitchen.put(LIST, json={"prices": [{"itemId": "F1", **PIZZA}]}) for _ in range(2)]

    assert [it.json()["version"] for it in answers] == [1, 1]
    assert [it.json()["added"] for it in answers] == [1, 0]


async def test_a_list_that_was_not_changed_is_not_sent_again(ann: AsyncClient) -> None:
    answer = await ann.get(LIST, headers={"If-None-Match": '"0"'})

    assert (answer.status_code, answer.content) == (304, b"")


async def test_each_price_that_is_not_allowed_is_named_and_none_is_stored(kitchen: AsyncClient) -> None:
    entries: list[Any] = [
        {"itemId": "F1", **PIZZA},
        {"itemId": "F1", **PIZZA},
        {"itemId": "F 2", **PIZZA},
        {"itemId": "F3", "name": "x", "price": "12"},
        {"itemId": "F4", "name": "x", "price": 1.234},
        {"itemId": "F5", "name": "x"},
        {"itemId": "F6", **PIZZA, "colour": "red"},
        {"itemId": "F7", **PIZZA, "currency": "XXX"},
        {"itemId": "F8", **PIZZA, "until": "17:00"},
        {"itemId": "F9", **PIZZA, "available": "yes"},
        [],
    ]

    answer = await kitchen.put(LIST, json={"prices": entries})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/prices/1/itemId",
        "/prices/2/itemId",
        "/prices/3/price",
        "/prices/4/price",
        "/prices/5/price",
        "/prices/6/colour",
        "/prices/7/currency",
        "/prices/8/until",
        "/prices/9/available",
        "/prices/10",
    ]
    assert (await kitchen.get(LIST)).json() == {"restaurantId": "R7", "version": 0, "prices": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"prices": {}}', 400),
        (b'{"prices": [], "prices": []}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "a", "price": 1, "price": 2}]}', 400),
        (b'{"prices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"prices": [' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}", 400),
        (b'{"prices": [{"itemId": "F1", "name": "a", "price": 1e999999999}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "a", "price": ' + b"9" * 100_000 + b"}]}", 400),
        (b'{"prices": [{"itemId": "F1", "name": "a", "price": -0.01}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "a", "price": NaN}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "\\u0000", "price": 1}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "\\ud800", "price": 1}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "\xff", "price": 1}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "' + b"x" * 201 + b'", "price": 1}]}', 400),
        (b'{"prices": [{"itemId": "F1", "name": "a", "price": 1, "until": "9999-12-31T23:59:59-14:00"}]}', 400),
        (b"\xef\xbb\xbf" + b'{"prices": []}', 400),
        (b'{"prices": [' + b"x" * 1_000_001 + b"]}", 413),
        ('{"prices": [{"itemId": "F1", "name": "🧅\u202e الحساء", "price": 0}]}'.encode(), 200),
        (b'{"prices": []}', 200),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_hostile_list_is_refused_or_stored_as_it_is(shared: Litestar, body: bytes, status: int) -> None:
    async with calling(shared, RESTAURANT) as kitchen:
        answer = await kitchen.put(LIST, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert len(answer.content) < 50_000


async def test_a_list_has_an_end(kitchen: AsyncClient) -> None:
    entries = [{"itemId": f"F{number}", **PIZZA} for number in range(MAX_PRICES)]

    full = await kitchen.put(LIST, json={"prices": entries})
    longer = await kitchen.put(LIST, json={"prices": [*entries, {"itemId": "more", **PIZZA}]})
    one_more = await kitchen.put(f"{LIST}/more", json=PIZZA)

    assert (full.status_code, longer.status_code, one_more.status_code) == (200, 400, 400)
    assert (await kitchen.get(LIST)).json()["version"] == 1


@pytest.mark.parametrize("headers", [{"Idempotency-Key": "K1"}, {"If-None-Match": "*"}, {"If-Match": "3"}])
async def test_a_header_that_is_not_compared_is_refused(shared: Litestar, headers: dict[str, str]) -> None:
    async with calling(shared, RESTAURANT) as kitchen:
        answer = await kitchen.put(f"{LIST}/F1", json=PIZZA, headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["header"]) == (400, next(iter(headers)))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/restaurants/two%20words/prices", 400),
        ("/v1/restaurants/R%00/prices", 400),
        ("/v1/restaurants/R%FF/prices", 400),
        ("/v1/restaurants/" + "R" * 65 + "/prices", 400),
        ("/v1/restaurants//prices", 404),
        ("/v1/restaurants/R7/prices/", 404),
        ("/v1/restaurants/R7/prices?all=true", 400),
        ("/v1/restaurants/2024%2F5/prices", 200),
    ],
)
async def test_a_path_names_a_restaurant_or_nothing(shared: Litestar, path: str, status: int) -> None:
    async with calling(shared, BOSS) as boss:
        answer = await boss.get(path)

    assert answer.status_code == status


async def test_an_item_with_a_slash_has_a_path(kitchen: AsyncClient) -> None:
    await kitchen.put(f"{LIST}/menu%2F5", json=PIZZA)

    assert [it["itemId"] for it in (await kitchen.get(LIST)).json()["prices"]] == ["menu/5"]


async def test_an_order_that_differs_is_refused_on_every_route_with_what_the_list_has(
    installation: Installation, kitchen: AsyncClient, ann: AsyncClient
) -> None:
    await kitchen.put(f"{LIST}/F1", json={**PIZZA, "price": 13})

    async def chunks() -> AsyncIterator[bytes]:
        yield json.dumps(an_order()).encode()

    alone = await ann.post("/v1/orders", json=an_order())
    chunked = await ann.post("/v1/orders", content=chunks(), headers={"Content-Type": "application/json"})
    (in_batch,) = (await ann.post("/v1/orders:batch", json=[an_order()])).json()
    right = an_order()
    right["orderDetails"][0]["price"] = 13.00

    for problem in (alone.json(), chunked.json(), in_batch["problem"]):
        assert (problem["status"], problem["code"]) == (409, "prices_refused")
        assert problem["lines"] == [
            {
                "line": 0,
                "itemId": "F1",
                "problem": "other_price",
                "name": "Pizza",
                "price": 13,
                "currency": "USD",
                "available": True,
                "until": None,
            }
        ]
    assert (await ann.post("/v1/orders", json=right)).status_code == 201


async def test_a_refusal_of_many_long_lines_is_bounded(ann: AsyncClient) -> None:
    line = {"foodId": "F" * 64, "foodName": "x" * 200, "price": 1, "quantity": 1}

    answer = await ann.post("/v1/orders", json=an_order(orderDetails=[line] * 100))

    assert (answer.status_code, len(answer.json()["lines"])) == (409, 100)
    assert len(answer.json()["detail"]) < 400


async def test_an_order_keeps_its_first_answer_after_a_change(kitchen: AsyncClient, ann: AsyncClient) -> None:
    await kitchen.put(f"{LIST}/F1", json=PIZZA)
    keyed, named = {"Idempotency-Key": "K1"}, an_order(orderId="O1")
    first = [
        await ann.post("/v1/orders", json=an_order(), headers=keyed),
        await ann.post("/v1/orders", json=named),
        (await ann.post("/v1/orders:batch", json=[an_order(idempotencyKey="K2")])).json()[0]["order"],
    ]
    await kitchen.put(f"{LIST}/F1", json={**PIZZA, "available": False})

    again = [
        await ann.post("/v1/orders", json=an_order(), headers=keyed),
        await ann.post("/v1/orders", json=named),
        (await ann.post("/v1/orders:batch", json=[an_order(idempotencyKey="K2")])).json()[0]["order"],
    ]

    assert [it.content for it in again[:2]] == [it.content for it in first[:2]]
    assert again[2] == first[2]
    assert (await ann.post("/v1/orders", json=an_order())).json()["lines"][0]["problem"] == "not_available"
