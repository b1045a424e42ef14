"""The analytics consumer's figures, over HTTP."""

import pytest
from httpx import AsyncClient

from tests.support.door import CUSTOMER, RESTAURANT, SHIPPER, Installation, calling, placed

PATHS = ["minutes", "restaurants", "states", "cancellations", "deliveries"]


@pytest.fixture
async def counted(installation: Installation, boss: AsyncClient) -> AsyncClient:
    """O1 delivered after 20 minutes, O2 cancelled; both at restaurant R7."""
    await placed(boss, "O1", totalPrice=28.5)
    await placed(boss, "O2")
    await boss.post("/v1/orders/O2/cancel", json={"reason": "too late"})
    await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})
    await boss.patch("/v1/orders/O1/state", json={"state": "on_the_way"})
    installation.clock.forward(minutes=20)
    await boss.patch("/v1/orders/O1/state", json={"state": "delivered"})
    await installation.analyse()
    return boss


async def test_sales_are_told_by_the_minute(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/minutes?start=2024-05-17T11:00:00Z&end=2024-05-17T12:00:00Z")

    assert answer.json() == {
        "minutes": [
            {
                "currency": "USD",
                "orders": 2,
                "cancelled": 1,
                "grossRevenue": 53.5,
                "netRevenue": 28.5,
                "minute": "2024-05-17T11:30:00Z",
            }
        ]
    }


async def test_without_a_beginning_it_is_the_last_hour_before_the_end(counted: AsyncClient) -> None:
    within = await counted.get("/v1/analytics/minutes?end=2024-05-17T12:30:00Z")
    beyond = await counted.get("/v1/analytics/minutes?end=2024-05-17T12:31:00Z")

    assert (len(within.json()["minutes"]), len(beyond.json()["minutes"])) == (1, 0)


async def test_without_an_end_it_is_now(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/minutes")

    assert answer.json() == {"minutes": []}


async def test_sales_are_told_by_the_restaurant(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/restaurants")

    (sales,) = answer.json()["restaurants"]
    assert (sales["restaurantId"], sales["orders"], sales["netRevenue"]) == ("R7", 2, 28.5)


async def test_states_are_told_with_the_time_spent_in_them(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/states")

    states = {state["state"]: state for state in answer.json()["states"]}
    assert {name: state["orders"] for name, state in states.items()} == {
        "waiting_for_shipper": 0,
        "preparing": 0,
        "on_the_way": 0,
        "delivered": 1,
        "cancelled": 1,
    }
    assert states["on_the_way"] == {
        "state": "on_the_way",
        "orders": 0,
        "left": 1,
        "mean": 1200.0,
        "median": 1200,
        "p90": 1200,
    }
    assert states["delivered"]["median"] is None


async def test_cancellations_are_told_by_reason(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/cancellations")

    assert answer.json() == {"reasons": [{"reason": "too late", "orders": 1}]}


async def test_delivery_times_are_told_in_minutes(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/deliveries")

    assert answer.json() == {"orders": 1, "p50": 20, "p90": 20, "p99": 20}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("actor", [CUSTOMER, RESTAURANT, SHIPPER])
async def test_they_are_for_admins(boss: AsyncClient, path: str, actor: str) -> None:
    answer = await boss.get(f"/v1/analytics/{path}", headers={"X-Actor": actor})

    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("start=yesterday", "start"),
        ("end=tomorrow", "end"),
        ("start=2024-01-01T00:00:00Z&end=2024-02-01T00:00:01Z", "start"),
        ("from=2024-01-01T00:00:00Z", "from"),
    ],
)
async def test_a_span_that_is_not_understood_is_named(boss: AsyncClient, query: str, parameter: str) -> None:
    answer = await boss.get(f"/v1/analytics/minutes?{query}")

    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]


async def test_the_beginning_of_time_is_no_trap(boss: AsyncClient) -> None:
    answer = await boss.get("/v1/analytics/minutes?end=0001-01-01T00:00:00Z")

    assert answer.json() == {"minutes": []}


async def test_without_the_consumers_views_there_are_none(installation: Installation) -> None:
    async with calling(installation.app(analytics=None)) as client:
        answer = await client.get("/v1/analytics/states")

    assert answer.status_code == 404
