"""A customer's personal data is exported and erased over HTTP, by admins with a token to operate."""

import pytest
from httpx import AsyncClient
from orderflow.application.auth import Scope

from tests.support.door import BOSS, CUSTOMER, Installation, calling, placed

pytestmark = pytest.mark.features("customers")

ADDRESS = {"street": "Main Street 1", "city": "Springfield"}
REASON = {"reason": "asked for it"}


async def test_a_customer_is_exported_and_erased(boss: AsyncClient) -> None:
    await placed(boss, address=ADDRESS)
    await boss.post("/v1/orders/O1/cancel", json={"reason": "late"})

    before = await boss.get("/v1/customers/C1/export")
    erased = await boss.post("/v1/customers/C1/erase", json=REASON)
    after = await boss.get("/v1/customers/C1/export")

    assert before.json()["orders"][0]["address"]["street"] == "Main Street 1"
    assert (before.json()["customerId"], before.json()["nextCursor"]) == ("C1", None)
    assert erased.json() == {"customerId": "C1", "orders": 1, "notifications": 0, "responses": 0}
    assert after.json()["orders"][0]["address"] is None
    assert (await boss.get("/v1/orders/O1")).json()["address"] is None


async def test_an_export_has_pages(boss: AsyncClient) -> None:
    for number in range(51):
        await placed(boss, f"O{number}")

    first = (await boss.get("/v1/customers/C1/export")).json()
    second = (await boss.get("/v1/customers/C1/export", params={"cursor": first["nextCursor"]})).json()

    assert (len(first["orders"]), len(second["orders"]), second["nextCursor"]) == (50, 1, None)


async def test_a_customer_with_open_orders_is_not_erased(boss: AsyncClient) -> None:
    await placed(boss, address=ADDRESS)

    answer = await boss.post("/v1/customers/C1/erase", json=REASON)

    assert (answer.status_code, answer.json()["code"]) == (409, "orders_open")
    assert "not delivered or cancelled: 1;" in answer.json()["detail"]
    assert (await boss.get("/v1/orders/O1")).json()["address"]["street"] == "Main Street 1"


async def test_a_customer_that_is_not_known_is_erased_as_well(boss: AsyncClient) -> None:
    answer = await boss.post("/v1/customers/nobody/erase", json=REASON)

    assert (answer.status_code, answer.json()["orders"]) == (200, 0)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/customers/two%20words/erase", REASON, 400),
        ("/v1/customers/C1/erase", {}, 400),
        ("/v1/customers/C1/erase", {"reason": " "}, 400),
        ("/v1/customers/C1/erase", {"reason": "why", "also": 1}, 400),
    ],
)
async def test_what_is_no_customer_and_no_reason_is_refused(
    boss: AsyncClient, path: str, body: object, status: int
) -> None:
    answer = await boss.post(path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, "invalid_input")


@pytest.mark.parametrize(
    ("actor", "scopes", "code"),
    [
        (CUSTOMER, set(Scope), "not_permitted"),
        (BOSS, {Scope.READ, Scope.WRITE}, "insufficient_scope"),
    ],
)
async def test_only_an_admin_with_a_token_to_operate_may(
    installation: Installation, actor: str, scopes: set[Scope], code: str
) -> None:
    secret = await installation.token(actor, scopes=scopes)
    headers = {"Authorization": f"Bearer {secret}"}
    async with calling(installation.app(features=["customers"])) as client:
        export = await client.get("/v1/customers/C1/export", headers=headers)
        erase = await client.post("/v1/customers/C1/erase", json=REASON, headers=headers)

    assert [(answer.status_code, answer.json()["code"]) for answer in (export, erase)] == [(403, code)] * 2
