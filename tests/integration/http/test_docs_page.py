"""The page to read and try the API, in a real browser that reaches no host but this one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import AsyncClient

from tests.support.browser import BROWSER, Tab, tab
from tests.support.door import BOSS, Installation, ServedApi

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH: the page of the API was not looked at")

PLACE_ORDER = "#operations-orders-placeOrder"


@pytest.fixture
async def page(server: ServedApi, tmp_path: Path) -> AsyncIterator[Tab]:
    async with tab(f"{server.url}/docs#/orders/placeOrder", tmp_path / "profile") as opened:
        yield opened


async def test_the_page_shows_every_operation_and_asks_no_other_host(
    page: Tab, server: ServedApi, boss: AsyncClient
) -> None:
    document = (await boss.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    example = await page.when(f"document.querySelector('{PLACE_ORDER} textarea.body-param__text').value")
    await page.click("section.models button")
    await page.click("section.models .json-schema-2020-12-expand-deep-button")
    shown = await page.when("[...document.querySelectorAll('.opblock')].map((operation) => operation.id)")

    assert document["openapi"].startswith("3.1")
    assert sorted(shown) == sorted(
        f"operations-{operation['tags'][0]}-{operation['operationId']}" for operation in operations
    )
    assert json.loads(example) == document["components"]["schemas"]["PlaceOrder"]["examples"][0]
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith((f"{server.url}/", "data:"))] == []


async def test_a_request_is_tried_with_a_token_that_is_not_kept(page: Tab, installation: Installation) -> None:
    token = await installation.token(BOSS)

    await page.click(".auth-wrapper .authorize")
    await page.type(".modal-ux input", token)
    await page.click(".modal-ux button.authorize")
    await page.click(".modal-ux button.btn-done")
    await page.click(f"{PLACE_ORDER} button.execute")
    status = await page.when(
        f"document.querySelector('{PLACE_ORDER} .live-responses-table tbody .response-col_status').textContent"
    )

    assert status == "201"
    assert page.errors == []
    assert await page.when("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])") == '[{},{},""]'
