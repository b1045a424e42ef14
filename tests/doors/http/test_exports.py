"""Orders and figures are exported as CSV: all that the caller may see, exact, and harmless in a spreadsheet."""

import asyncio
import csv
from io import StringIO
from typing import Any

import pytest
from httpx import AsyncClient, Response
from orderflow.domain.errors import StorageUnavailable
from orderflow.entrypoints.http import exports
from orderflow.entrypoints.http.csv_rows import harmless

from tests.doors.http.test_analytics import PATHS, counted
from tests.support.door import BOSS, CUSTOMER, RESTAURANT, SHIPPER, Installation, calling, placed
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.features("analytics")

__all__ = ["counted"]


def read(answer: Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return [*csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline=""))]


async def test_all_orders_of_the_filter_are_exported_with_the_values_of_the_list(
    boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "SLICE", 2)
    for number in range(5):
        await placed(boss, f"O{number}", totalPrice=28.5, customerName="Zoë", metadata={"table": str(number)})
    await placed(boss, "other", restaurantId="R8", address={"street": "Main Street 1", "city": "Springfield"})

    answer = await boss.get("/v1/orders.csv?restaurantId=R7&sort=oldest")

    listed = (await boss.get("/v1/orders?restaurantId=R7&sort=oldest")).json()["orders"]
    exported = read(answer)
    assert [row["orderId"] for row in exported] == [order["orderId"] for order in listed]
    assert len(exported) == 5
    assert (exported[0]["totalPrice"], exported[0]["deliveryFee"]) == ("28.5", "3.5")
    assert (exported[0]["customerName"], exported[0]["createdAt"]) == ("Zoë", listed[0]["createdAt"])
    assert (exported[4]["metadata"], exported[4]["shipperId"]) == ('{"table":"4"}', "")
    assert listed[0].keys() - exported[0].keys() == {"address", "allowedActions"}
    [of_other] = read(await boss.get("/v1/orders.csv?q=other"))
    assert (of_other["addressStreet"], of_other["addressNote"]) == ("Main Street 1", "")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(("actor", "expected"), [(CUSTOMER, {"O1"}), (RESTAURANT, {"O1", "O2"}), (SHIPPER, set())])
async def test_an_export_has_what_the_caller_may_see(boss: AsyncClient, actor: str, expected: set[str]) -> None:
    await placed(boss, "O1")
    await placed(boss, "O2", userId="C2")
    await placed(boss, "O3", userId="C2", restaurantId="R8")

    rows = read(await boss.get("/v1/orders.csv", headers={"X-Actor": actor}))
    refused = await boss.get("/v1/orders.csv?customerId=C9&restaurantId=R9", headers={"X-Actor": actor})

    assert {row["orderId"] for row in rows} == expected
    assert refused.status_code == (200 if actor == SHIPPER else 400)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1 212", "'+1 212"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ('"=1', "'\"=1"),
        ("x;=1", "x;'=1"),
        ("x\n=1", "x\n'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=b, c-d; e@f", "a=b, c-d; e@f"),
    ],
)
def test_no_text_begins_a_formula(text: str, expected: str) -> None:
    assert harmless(text) == expected


async def test_hostile_texts_are_one_cell_each(boss: AsyncClient) -> None:
    hostile = '=HYPERLINK("http://x";"y"), ;-2+3;@x'
    await placed(boss, "O1", customerName="=1+1", note=hostile)

    answer = await boss.get("/v1/orders.csv")

    [row] = read(answer)
    assert (row["customerName"], row["note"]) == ("'=1+1", '\'=HYPERLINK("http://x";"y"), ;\'-2+3;\'@x')
    assert len(row) == len(exports.ORDERS)


@pytest.mark.parametrize("path", PATHS)
async def test_each_reading_is_exported_with_the_values_of_the_api(counted: AsyncClient, path: str) -> None:
    query = "?start=2024-05-17T11:00:00Z&end=2024-05-17T12:00:00Z" if path == "minutes" else ""
    body: Any = (await counted.get(f"/v1/analytics/{path}{query}")).json()
    [rows] = [[body]] if path == "deliveries" else [rows for name, rows in body.items() if name != "more"]

    exported = read(await counted.get(f"/v1/analytics/{path}.csv{query}"))

    def shown(value: object) -> str:
        return "" if value is None else str(value)

    numbers = {"grossRevenue", "netRevenue"}
    assert [{k: v for k, v in row.items() if k not in numbers} for row in exported] == [
        {name: shown(value) for name, value in row.items() if name not in numbers} for row in rows
    ]
    assert [float(row[name]) for row in exported for name in sorted(numbers & row.keys())] == [
        row[name] for row in rows for name in sorted(numbers & row.keys())
    ]
    refused = await counted.get(f"/v1/analytics/{path}.csv", headers={"X-Actor": CUSTOMER})
    assert refused.status_code == 403


async def test_an_export_that_ends_early_is_broken_off(
    installation: Installation, boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "SLICE", 1)
    for number in range(3):
        await placed(boss, f"O{number}")
    list_orders, asked = type(installation.storage.views).list, 0

    async def failing(self: Any, query: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise StorageUnavailable("database", "it has gone")
        return await list_orders(self, query)

    monkeypatch.setattr(type(installation.storage.views), "list", failing)

    with pytest.raises(AssertionError):  # httpx's transport: the response has no end
        await boss.get("/v1/orders.csv")


async def test_an_export_of_a_revoked_token_is_broken_off(
    installation: Installation, boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "SLICE", 1)
    monkeypatch.setattr(exports, "CHECKED_EVERY", 0)
    for number in range(3):
        await placed(boss, f"O{number}")
    token = {"Authorization": f"Bearer {await installation.token(BOSS)}"}
    list_orders, views = type(installation.storage.views).list, type(installation.storage.views)

    async def revoked_meanwhile(self: Any, query: Any) -> Any:
        for each in await installation.storage.tokens.list():
            await installation.storage.tokens.revoke(each.id, at=installation.clock())
        installation.clock.forward(minutes=1)
        return await list_orders(self, query)

    monkeypatch.setattr(views, "list", revoked_meanwhile)
    async with calling(installation.app(features=["analytics"], trust_actor_header=False)) as client:
        del client.headers["X-Actor"]
        with pytest.raises(AssertionError):
            await client.get("/v1/orders.csv", headers=token)


async def test_a_caller_has_four_exports_at_once(
    installation: Installation, boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = type(installation.storage.views)
    list_orders, begun, go_on = views.list, 0, asyncio.Event()

    async def waiting(self: Any, query: Any) -> Any:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return await list_orders(self, query)

    monkeypatch.setattr(views, "list", waiting)
    exporting = [asyncio.create_task(boss.get("/v1/orders.csv")) for _ in range(4)]
    await eventually_async(lambda: _now(begun == 4), that="four exports read")

    refused = await boss.get("/v1/orders.csv")

    go_on.set()
    assert refused.status_code == 429
    assert "4 exports at once" in refused.json()["detail"]
    assert {(await each).status_code for each in exporting} == {200}
    assert (await boss.get("/v1/orders.csv")).status_code == 200


async def _now(value: bool) -> bool:
    return value
