"""ETags are compared with If-Match and If-None-Match."""

from typing import Any

import pytest
from httpx import AsyncClient

from tests.support.door import placed

CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "state", {"state": "preparing"}),
    ("PATCH", "state", {"state": "cancelled", "reason": "too late"}),
    ("PUT", "shipper", {"shipperId": "S3"}),
    ("POST", "payment", {}),
    ("POST", "cancel", {"reason": "too late"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_a_change_of_an_older_version_is_refused(
    boss: AsyncClient, method: str, path: str, body: dict[str, Any]
) -> None:
    order = await placed(boss)
    await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S9"})

    answer = await boss.request(method, f"/v1/orders/O1/{path}", json=body, headers={"If-Match": order.headers["etag"]})

    assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch")


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("condition", ['"1"', "*"])
async def test_a_change_of_the_current_version_is_made(
    boss: AsyncClient, method: str, path: str, body: dict[str, Any], condition: str
) -> None:
    await placed(boss)

    answer = await boss.request(method, f"/v1/orders/O1/{path}", json=body, headers={"If-Match": condition})

    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"' != '"1"'


@pytest.mark.parametrize("condition", ["1", 'W/"1"', '"1", "2"', '"one"', '"01"', "", '"99999999999999999999"'])
async def test_an_invalid_condition_is_named(visitor: AsyncClient, condition: str) -> None:
    await placed(visitor)

    answer = await visitor.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"If-Match": condition})

    assert answer.status_code == 400
    assert [fault["header"] for fault in answer.json()["errors"]] == ["If-Match"]


@pytest.mark.parametrize("condition", ['"1"', 'W/"1"', '"7", "1"', "*"])
async def test_a_version_that_the_caller_has_is_304(visitor: AsyncClient, condition: str) -> None:
    await placed(visitor)

    answer = await visitor.get("/v1/orders/O1", headers={"If-None-Match": condition})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')


@pytest.mark.parametrize("condition", ['"2"', '"11"', "1", ""])
async def test_a_version_that_the_caller_does_not_have_is_returned(visitor: AsyncClient, condition: str) -> None:
    await placed(visitor)

    answer = await visitor.get("/v1/orders/O1", headers={"If-None-Match": condition})

    assert (answer.status_code, answer.json()["version"]) == (200, 1)
