"""Orders, lists of orders and timelines are read over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from httpx import AsyncClient
from litestar import Litestar

from tests.support.door import Installation, calling, placed


async def order_ids(client: AsyncClient, query: str, **options: Any) -> list[str]:
    answer = await client.get(f"/v1/orders?{query}", **options)
    assert answer.status_code == 200, answer.text
    return [order["orderId"] for order in answer.json()["orders"]]


async def place_three(installation: Installation, boss: AsyncClient) -> None:
    """O1 to O3 are a minute apart. O2 is of customer C2 and has shipper S3; O3 is of restaurant R8."""
    await placed(boss, "O1")
    installation.clock.forward(minutes=1)
    await placed(boss, "O2", userId="C2")
    await boss.put("/v1/orders/O2/shipper", json={"shipperId": "S3"})
    installation.clock.forward(minutes=1)
    await placed(boss, "O3", restaurantId="R8")


@pytest.fixture(scope="module")
def app_with_three() -> Litestar:
    installation = Installation()
    app = installation.app(limits={"requests_per_second": 100_000})

    async def place() -> None:
        async with calling(app) as boss:
            await place_three(installation, boss)

    asyncio.run(place())
    return app


@pytest.fixture
async def three(app_with_three: Litestar) -> AsyncIterator[AsyncClient]:
    """A client of an application with three orders, for tests that only read."""
    async with calling(app_with_three) as boss:
        yield boss


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["O3", "O2", "O1"]),
        ("customerId=C1", ["O3", "O1"]),
        ("userId=C2", ["O2"]),
        ("customerId=C2&userId=C2", ["O2"]),
        ("restaurantId=R8", ["O3"]),
        ("shipperId=S3", ["O2"]),
        ("state=preparing", ["O2"]),
        ("state=waiting_for_shipper&restaurantId=R7", ["O1"]),
        ("createdFrom=2024-05-17T11:31:00Z", ["O3", "O2"]),
        ("createdUntil=2024-05-17T11:31:00Z", ["O1"]),
        ("createdFrom=" + quote("2024-05-17T13:32:00+02:00"), ["O3"]),
        ("limit=1", ["O3"]),
    ],
)
async def test_orders_that_fulfil_all_conditions_are_listed_newest_first(
    three: AsyncClient, query: str, expected: list[str]
) -> None:
    found = await order_ids(three, query)

    assert found == expected


async def test_pages_contain_every_order_once(three: AsyncClient) -> None:
    first = (await three.get("/v1/orders?limit=2")).json()

    second = (await three.get("/v1/orders", params={"limit": 2, "cursor": first["nextCursor"]})).json()

    assert [order["orderId"] for page in (first, second) for order in page["orders"]] == ["O3", "O2", "O1"]
    assert second["nextCursor"] is None


async def test_shared_caches_must_not_store_an_order(three: AsyncClient) -> None:
    answer = await three.get("/v1/orders/O1")

    assert answer.headers["vary"] == "Authorization, X-Actor"
    assert answer.headers["cache-control"] == "private, no-cache"


async def test_the_timeline_has_every_event_as_published(three: AsyncClient) -> None:
    answer = await three.get("/v1/orders/O2/timeline", headers={"X-Actor": "customer:C2"})

    body = answer.json()
    assert body["orderId"] == "O2"
    assert [(each["sequence"], each["event"]["type"]) for each in body["events"]] == [
        (1, "order.created"),
        (2, "order.shipper_assigned"),
        (3, "order.state_changed"),
    ]
    assert set(body["events"][0]) == {"sequence", "bucket", "position", "correlationId", "event"}


async def test_an_order_is_read_as_of_a_time(installation: Installation, boss: AsyncClient) -> None:
    await place_three(installation, boss)
    installation.clock.forward(minutes=1)
    await boss.patch("/v1/orders/O3/state", json={"state": "preparing"})

    answer = await boss.get("/v1/orders/O3?asOf=2024-05-17T11:32:30Z")

    assert (answer.json()["state"], answer.json()["version"]) == ("waiting_for_shipper", 1)


async def test_a_shipper_lists_what_it_may_take_without_the_address_until_it_has_taken_it() -> None:
    installation = Installation(available_orders=True)
    address = {"street": "Main Street 1", "city": "Springfield"}
    async with calling(installation.app()) as boss:
        await placed(boss, address=address)
    async with calling(installation.app(), "shipper:S3") as shipper:
        listed = await shipper.get("/v1/orders?available=true")
        await shipper.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})
        taken = await shipper.get("/v1/orders/O1")

    [order] = listed.json()["orders"]
    assert (order["orderId"], order["address"]) == ("O1", None)
    assert order["allowedActions"] == [{"name": "assign_shipper", "needs": ["shipperId"]}]
    assert taken.json()["address"]["street"] == "Main Street 1"


async def test_before_its_creation_there_is_no_order(three: AsyncClient) -> None:
    answer = await three.get("/v1/orders/O3?asOf=2024-05-17T11:00:00Z")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/orders?limit=0", "limit"),
        ("/v1/orders?limit=201", "limit"),
        ("/v1/orders?limit=ten", "limit"),
        ("/v1/orders?state=cooked", "state"),
        ("/v1/orders?createdFrom=yesterday", "createdFrom"),
        ("/v1/orders?createdFrom=2024-05-17T11:31:00", "createdFrom"),
        ("/v1/orders?createdUntil=1715945460", "createdUntil"),
        ("/v1/orders?createdUntil=0001-01-01T00:00:00%2B23:59", "createdUntil"),
        ("/v1/orders?cursor=nonsense", "cursor"),
        ("/v1/orders?available=yes", "available"),
        ("/v1/orders?available=true&shipperId=S1", "shipperId"),
        ("/v1/orders?customerId=%00", "customerId"),
        ("/v1/orders?customerId=C1&userId=C2", "userId"),
        ("/v1/orders?customer=C1", "customer"),
        ("/v1/orders/O1?asof=2024-05-17T11:31:00Z", "asof"),
        ("/v1/orders/O1?asOf=noon", "asOf"),
        ("/v1/orders/O1/timeline?limit=1", "limit"),
    ],
)
async def test_an_invalid_parameter_is_named(three: AsyncClient, path: str, parameter: str) -> None:
    answer = await three.get(path)

    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]
