"""``board``: the frames of the board with 1,000 live orders of which 50 change a second, in Chromium, on SQLite."""

import asyncio
import json
from time import perf_counter
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright, expect
from tests.support.board import chromium

from .finding import Effort, Finding
from .machine import Usage
from .servers import Servers, api_process

ORDERS = 1_000
CHANGES_A_SECOND = 50
SECONDS = 10
PAGES = 9
"""The clicks on "Show 20 more" after which 200 cards of one column are drawn."""
PROCESSOR = 25.0
LONG_MS = 50.0
"""A task that is longer is one that a person notices (https://w3c.github.io/longtasks/)."""
_JSON = {"Content-Type": "application/json"}
_WATCH = """
window.watched = {frames: [], tasks: []};
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) watched.tasks.push(task.duration);
}).observe({type: "longtask"});
let before = performance.now();
const frame = (at) => { watched.frames.push(at - before); before = at; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
"""


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    program = chromium()
    settings = {"HTTP_REQUESTS_PER_SECOND": "10000"}
    async with api_process(servers.sqlite(), **settings) as api, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        found = [
            *await _watched(page, api.url, effort, cards=False),
            *await _watched(page, api.url, effort, cards=True),
        ]
        await browser.close()
    return found


async def _watched(page: Page, url: str, effort: Effort, *, cards: bool) -> list[Finding]:
    """Return the frames of the board of a restaurant of its own, with 20 or 200 ``cards`` in a column."""
    orders, seconds = effort.of(ORDERS, least=100), effort.of(SECONDS, least=1)
    restaurant = "R200" if cards else "R20"
    headers = {"X-Actor": "admin:dispatcher"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120) as client:
        placed = [_order(restaurant, number) for number in range(orders)]
        (await client.post("/v1/orders:batch", content=json.dumps(placed), headers=_JSON)).raise_for_status()
        await page.goto(f"{url}/#/orders?restaurantId={restaurant}")
        await page.reload()
        if await page.get_by_label("Role").count() or not cards:
            await page.get_by_label("Role").select_option("admin")
            await page.get_by_label("Id", exact=True).fill("boss")
            await page.get_by_role("button", name="Enter").click()
        column = page.locator("#column-waiting_for_shipper")
        await expect(column).to_contain_text(f"({orders:,})", timeout=60_000)
        for _ in range(effort.of(PAGES, least=1) if cards else 0):
            await page.get_by_role("button", name="Show 20 more").first.click()
        shown = await page.locator("li.card").count()
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        await page.evaluate(_WATCH)
        before, usage = await _used(session), Usage.now()
        began, changed = perf_counter(), 0
        while (passed := perf_counter() - began) < seconds and changed < orders:
            if changed < passed * CHANGES_A_SECOND:
                answer = await client.put(f"/v1/orders/{restaurant}-{changed}/shipper", json={"shipperId": "S1"})
                answer.raise_for_status()
                changed += 1
            else:
                await asyncio.sleep(0.001)
        await expect(page.locator("#column-preparing")).to_contain_text(f"({changed:,})", timeout=60_000)
        took, used = perf_counter() - began, await _used(session) - before
        others = usage.others(Usage.now())
        watched = await page.evaluate("watched")
    frames, tasks = sorted(watched["frames"]), watched["tasks"]
    said = f"{orders:,} orders, {shown} cards, {changed / took:.0f} changes/s"
    middle, late = frames[len(frames) // 2], frames[int(len(frames) * 0.99)]
    return [
        Finding(
            what=f"board, the 99th percentile of its frames: {said}",
            values=[late],
            unit="ms",
            ceiling=LONG_MS,
            aside=f"median {middle:.0f} ms, longest {frames[-1]:.0f} ms of {len(frames)}; "
            f"other programs used {others:.0%} of the processors",
        ),
        Finding(
            what="  the share of the time in long tasks",
            values=[sum(tasks) / took / 10],
            unit="%",
            aside=f"{len(tasks)} over {LONG_MS:.0f} ms, the longest {max(tasks, default=0):.0f} ms",
        ),
        Finding(
            what="  processor time of the page, of one core", values=[used / took * 100], unit="%", ceiling=PROCESSOR
        ),
    ]


async def _used(session: Any) -> float:
    """Return the seconds of processor time of the page's main thread."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def _order(restaurant: str, number: int) -> dict[str, object]:
    return {
        "orderId": f"{restaurant}-{number}",
        "userId": f"C{number % 50}",
        "restaurantId": restaurant,
        "orderDetails": [
            {"foodId": f"F{food}", "foodName": f"Pizza {food}", "price": 12.5, "quantity": 2} for food in range(4)
        ],
        "paymentMethod": "cash",
        "customerName": "Ann Smith",
    }
