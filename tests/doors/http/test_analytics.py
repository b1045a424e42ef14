"""The HTTP API returns the figures of the consumer analytics."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.application.analytics.figures import Span
from orderflow.entrypoints.http import analytics

from tests.support.door import BOSS, RESTAURANT, Installation, calling, placed

pytestmark = pytest.mark.features("analytics")

PATHS = ["minutes", "restaurants", "states", "cancellations", "deliveries"]


@pytest.fixture
async def counted(installation: Installation, boss: AsyncClient) -> AsyncClient:
    """Yield a client. O1 was delivered after 20 minutes and O2 was cancelled, both of restaurant R7."""
    await placed(boss, "O1", totalPrice=28.5)
    await placed(boss, "O2")
    await boss.post("/v1/orders/O2/cancel", json={"reason": "too late"})
    await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})
    await boss.patch("/v1/orders/O1/state", json={"state": "on_the_way"})
    installation.clock.forward(minutes=20)
    await boss.patch("/v1/orders/O1/state", json={"state": "delivered"})
    await installation.analyse()
    return boss


async def test_sales_by_minute(counted: AsyncClient) -> None:
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
        ],
        "more": False,
    }


async def test_a_partial_minute_counts_its_orders_between_the_times(counted: AsyncClient) -> None:
    async def orders(start: str, end: str) -> int:
        answer = await counted.get(f"/v1/analytics/minutes?start=2024-05-17T{start}Z&end=2024-05-17T{end}Z")
        return sum(minute["orders"] for minute in answer.json()["minutes"])

    assert await orders("11:29:30", "11:30:20") == 2
    assert await orders("11:30:00", "11:30:00.000001") == 2
    assert await orders("11:29:00", "11:30:00") == 0
    assert await orders("11:30:10", "11:30:50") == 0


async def test_the_default_start_is_one_hour_before_the_end(counted: AsyncClient) -> None:
    included = await counted.get("/v1/analytics/minutes?end=2024-05-17T12:30:00Z")
    excluded = await counted.get("/v1/analytics/minutes?end=2024-05-17T12:31:00Z")

    assert (len(included.json()["minutes"]), len(excluded.json()["minutes"])) == (1, 0)


async def test_the_default_end_is_now(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/minutes")

    assert answer.json() == {"minutes": [], "more": False}


async def test_sales_by_restaurant(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/restaurants")

    (sales,) = answer.json()["restaurants"]
    assert (sales["restaurantId"], sales["orders"], sales["netRevenue"]) == ("R7", 2, 28.5)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "minutes"])
async def test_figures_are_of_the_orders_of_a_span(counted: AsyncClient, path: str) -> None:
    async def read(query: str) -> Any:
        return (await counted.get(f"/v1/analytics/{path}?{query}")).json()

    inside = await read("start=2024-05-17T11:30:00Z&end=2024-05-17T11:31:00Z")
    refused = await counted.get(f"/v1/analytics/{path}?start=2024-05-17T12:00:00Z&end=2024-05-17T11:00:00Z")

    assert inside == await read("")
    assert inside != await read("start=2024-05-17T11:31:00Z") == await read("end=2024-05-17T11:30:00Z")
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, "start")


async def test_states_have_their_orders_and_durations(counted: AsyncClient) -> None:
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


async def test_cancellations_by_reason(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/cancellations")

    assert answer.json() == {"reasons": [{"reason": "too late", "orders": 1}], "more": False}


async def test_a_response_with_more_rows_than_it_may_have_says_so(
    installation: Installation, counted: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOST", "MOST_MINUTES"):
        monkeypatch.setattr(analytics, name, 1)
    await placed(counted, "O3", restaurantId="R8")
    await counted.post("/v1/orders/O3/cancel", json={"reason": "another reason"})
    await installation.analyse()

    span = "start=2024-05-17T11:00:00Z&end=2024-05-17T12:00:00Z"
    minutes = (await counted.get(f"/v1/analytics/minutes?{span}")).json()
    restaurants = (await counted.get("/v1/analytics/restaurants")).json()
    cancellations = (await counted.get("/v1/analytics/cancellations")).json()

    assert (len(minutes["minutes"]), minutes["more"]) == (1, True)
    assert ([each["restaurantId"] for each in restaurants["restaurants"]], restaurants["more"]) == (["R7"], True)
    assert ([each["reason"] for each in cancellations["reasons"]], cancellations["more"]) == (["another reason"], True)


async def test_figures_take_turns_because_each_reads_all_orders(installation: Installation) -> None:
    running = most = 0

    class SlowFigures:
        async def by_state(self, _: str | None, span: Span) -> dict[str, int]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(20):
                await asyncio.sleep(0)
            running -= 1
            return {}

        async def time_in_states(self, _: str | None, span: Span) -> list[Any]:
            return []

    async with calling(installation.app(features=["analytics"], analytics=SlowFigures())) as client:
        answers = await asyncio.gather(*(client.get("/v1/analytics/states") for _ in range(2 * analytics.AT_ONCE + 1)))

    assert {answer.status_code for answer in answers} == {200}
    assert most == analytics.AT_ONCE


async def test_delivery_times_are_in_minutes(counted: AsyncClient) -> None:
    answer = await counted.get("/v1/analytics/deliveries")

    assert answer.json() == {"orders": 1, "p50": 20, "p90": 20, "p99": 20}


@pytest.mark.parametrize(
    ("actor", "query"), [(RESTAURANT, ""), (RESTAURANT, "restaurantId=R7"), (BOSS, "restaurantId=R7")]
)
async def test_a_restaurant_reads_the_figures_of_its_own_orders(
    installation: Installation, counted: AsyncClient, actor: str, query: str
) -> None:
    await placed(counted, "O3", restaurantId="R8")
    await counted.post("/v1/orders/O3/cancel", json={"reason": "another reason"})
    await installation.analyse()

    async def figures(path: str) -> Any:
        span = "start=2024-05-17T11:00:00Z&end=2024-05-17T12:00:00Z&" if path == "minutes" else ""
        answer = await counted.get(f"/v1/analytics/{path}?{span}{query}", headers={"X-Actor": actor})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert [each["orders"] for each in (await figures("minutes"))["minutes"]] == [2]
    assert [each["restaurantId"] for each in (await figures("restaurants"))["restaurants"]] == ["R7"]
    assert sum(each["orders"] for each in (await figures("states"))["states"]) == 2
    assert (await figures("cancellations"))["reasons"] == [{"reason": "too late", "orders": 1}]
    assert (await figures("deliveries"))["orders"] == 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_restaurant_may_not_ask_for_the_figures_of_another(visitor: AsyncClient, path: str) -> None:
    answer = await visitor.get(f"/v1/analytics/{path}?restaurantId=R8", headers={"X-Actor": RESTAURANT})

    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["errors"]] == ["restaurantId"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("start=yesterday", "start"),
        ("end=tomorrow", "end"),
        ("start=2024-01-01T00:00:00Z&end=2024-02-01T00:00:01Z", "start"),
        ("from=2024-01-01T00:00:00Z", "from"),
    ],
)
async def test_an_invalid_time_span_is_named(visitor: AsyncClient, query: str, parameter: str) -> None:
    answer = await visitor.get(f"/v1/analytics/minutes?{query}")

    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]


async def test_the_earliest_time_is_accepted(boss: AsyncClient) -> None:
    answer = await boss.get("/v1/analytics/minutes?end=0001-01-01T00:00:00Z")

    assert answer.json() == {"minutes": [], "more": False}
