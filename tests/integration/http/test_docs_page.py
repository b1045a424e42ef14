"""The page to read and try the API, in a real browser that reaches no host but this one."""

import json
from collections.abc import AsyncIterator

import pytest
from attrs import define, field
from httpx import AsyncClient
from playwright.async_api import Page, async_playwright, expect

from tests.support.board import LOOPBACK_ALONE, PATIENCE, chromium
from tests.support.door import BOSS, Installation, ServedApi
from tests.support.servers import obtain

PLACE_ORDER = "#operations-orders-placeOrder"
expect.set_options(timeout=PATIENCE)


@define
class DocsPage:
    """The page, and the errors and requests of it so far."""

    page: Page
    errors: list[str] = field(factory=list)
    requests: list[str] = field(factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
async def docs(server: ServedApi) -> AsyncIterator[DocsPage]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=obtain(chromium), args=[LOOPBACK_ALONE])
        docs = DocsPage(await browser.new_page())
        docs.page.set_default_timeout(PATIENCE)
        docs.watch()
        await docs.page.goto(f"{server.url}/docs#/orders/placeOrder")
        yield docs
        await browser.close()


async def test_the_page_shows_every_operation_and_asks_no_other_host(
    docs: DocsPage, server: ServedApi, boss: AsyncClient
) -> None:
    document = (await boss.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    page = docs.page

    example = await page.locator(f"{PLACE_ORDER} textarea.body-param__text").input_value()
    await page.locator("section.models button").first.click()
    await page.locator("section.models .json-schema-2020-12-expand-deep-button").first.click()
    shown = await page.locator(".opblock").evaluate_all("all => all.map((operation) => operation.id)")

    assert document["openapi"].startswith("3.1")
    assert sorted(shown) == sorted(
        f"operations-{operation['tags'][0]}-{operation['operationId']}" for operation in operations
    )
    assert json.loads(example) == document["components"]["schemas"]["PlaceOrder"]["examples"][0]
    assert docs.errors == []
    assert [url for url in docs.requests if not url.startswith((f"{server.url}/", "data:"))] == []


async def test_a_request_is_tried_with_a_token_that_is_not_kept(docs: DocsPage, installation: Installation) -> None:
    token = await installation.token(BOSS)
    page = docs.page

    await page.locator(".auth-wrapper .authorize").first.click()
    await page.locator(".modal-ux input").first.fill(token)
    await page.locator(".modal-ux button.authorize").first.click()
    await page.locator(".modal-ux button.btn-done").first.click()
    await page.locator(f"{PLACE_ORDER} button.execute").click()

    status = page.locator(f"{PLACE_ORDER} .live-responses-table tbody .response-col_status")
    await expect(status).to_have_text("201")
    assert docs.errors == []
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert await page.evaluate(kept) == '[{},{},""]'
