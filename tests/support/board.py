"""The board of a running service in a real browser that reaches no host but this one."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import define, field
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, sync_playwright

from tests.support.installation import Installation, RunningProcess
from tests.support.servers import free_port, program
from tests.support.stack import Stack
from tests.support.waiting import eventually

LOOPBACK_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""The option of Chromium with which no host but 127.0.0.1 has an address."""
PATIENCE = 60_000
"""Milliseconds after which a page that does not come to what is waited for has failed."""


def chromium() -> str:
    """The system's Chromium.

    :raises MissingServer: without one.
    """
    return program("chromium", "chromium-browser", "google-chrome", remedy="Install chromium")


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=[LOOPBACK_ALONE])
        yield opened
        opened.close()


@define
class Service:
    """``orderflow serve --dev`` on one port and one database, which can be killed and started again."""

    installation: Installation
    port: int = field(factory=free_port)
    running: RunningProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.running = self.installation.start("serve", HTTP_PORT=str(self.port), AVAILABLE_ORDERS="all")
        assert self.running.url == self.url

    def kill(self) -> None:
        assert self.running is not None
        self.running.process.kill()
        self.running.process.wait(60)

    def api(self, actor: str = "admin:boss") -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-Actor": actor}, timeout=180)

    def place(self, order_id: str, **changes: Any) -> None:
        body = {
            "orderId": order_id,
            "userId": "C1",
            "restaurantId": "R7",
            "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2}],
            "paymentMethod": "cash",
            "address": {"street": "Main Street 1", "city": "Springfield"},
            **changes,
        }
        with self.api() as client:
            answer = client.post("/v1/orders", json=body)
        assert answer.status_code == 201, answer.text

    def move(self, order_id: str, *steps: str, shipper: str = "S3") -> None:
        """Assign a shipper (``assign``), and bring it to these states."""
        with self.api() as client:
            for step in steps:
                if step == "assign":
                    answer = client.put(f"/v1/orders/{order_id}/shipper", json={"shipperId": shipper})
                elif step == "cancelled":
                    answer = client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "out of stock"})
                else:
                    answer = client.patch(f"/v1/orders/{order_id}/state", json={"state": step})
                assert answer.status_code == 200, answer.text

    def states(self, actor: str = "admin:boss", **query: str) -> dict[str, set[str]]:
        """The ids of the orders that the actor may see, by state."""
        found: dict[str, set[str]] = {}
        with self.api(actor) as client:
            for order in client.get("/v1/orders", params={"limit": 200, **query}).json()["orders"]:
                found.setdefault(order["state"], set()).add(order["orderId"])
        return found


@contextmanager
def service(folder: Path, database_url: str) -> Iterator[Service]:
    from tests.support.installation import installation

    with installation(Stack(folder, database_url, "", "orders")) as here:
        made = Service(here)
        made.start()
        yield made


@define
class WatchedDay:
    """``orderflow demo`` with its board, in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def said(self) -> str:
        """Its standard error."""
        return (self.folder / "demo.err").read_text(encoding="utf-8")

    @property
    def printed(self) -> str:
        return (self.folder / "demo.out").read_text(encoding="utf-8")

    @property
    def opened(self) -> str:
        """The address that it has opened in the browser."""
        file = self.folder / "opened"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    @property
    def link(self) -> str:
        """The address that it prints first."""
        found = re.search(r"the board: (http://\S+)", self.said)
        assert found is not None
        return found[1]

    @property
    def url(self) -> str:
        return self.link.partition("/#")[0]


@contextmanager
def watched_day(folder: Path, *arguments: str) -> Iterator[WatchedDay]:
    """The browser that it opens is a program that keeps the address."""
    program = folder / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > "{folder}/opened"\n')
    program.chmod(0o755)
    stack = Stack(folder, f"sqlite:///{folder}/unused.db", "", "orders", settings={"BROWSER": str(program)})
    with stack.begin("demo", "--open", *arguments) as process:
        day = WatchedDay(process, folder)
        try:
            eventually(
                lambda: "the board:" in day.said or process.poll() is not None, deadline=120, that="the board is up"
            )
            yield day
        finally:
            process.kill()


@define(slots=False)  # Playwright stores its wrapper of a listener on it
class BoardPage:
    """A page and what was seen on it that should not be: errors, and requests to other hosts."""

    page: Page
    url: str
    errors: list[str] = field(factory=list)
    elsewhere: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.url}/", "data:", "blob:")):
            self.elsewhere.append(url)

    def enter(self, actor: str, view: str = "#/orders") -> None:
        """Choose an actor, and go to a view."""
        role, _, id_ = actor.partition(":")
        self.page.goto(f"{self.url}/{view}")
        self.page.get_by_label("Role").select_option(role)
        self.page.get_by_label("Id", exact=True).fill(id_)
        self.page.get_by_role("button", name="Enter").click()
        self.page.get_by_role("navigation").wait_for()

    def check(self) -> None:
        """Nothing has gone wrong so far."""
        assert not self.errors, self.errors
        assert not self.elsewhere, self.elsewhere

    def leave(self) -> None:
        """Be as a new page for the next test. Nothing may have gone wrong in this one."""
        try:
            self.check()
        finally:
            self.page.unroute_all(behavior="ignoreErrors")
            self.page.context.clear_cookies()
            self.page.set_viewport_size({"width": 1280, "height": 720})
            self.page.goto("about:blank")
            self.errors.clear()
            self.elsewhere.clear()

    def hold(self, requests: re.Pattern[str]) -> list[Route]:
        """Hold back the requests whose URL matches, each until it is continued."""
        held: list[Route] = []

        def keep(route: Route) -> None:
            held.append(route)

        self.page.route(requests, keep)
        return held

    def go(self, view: str) -> None:
        self.page.evaluate("view => { location.hash = view }", view)

    def cards(self, column: str) -> list[str]:
        """The ids of the orders in a column, from above."""
        section = self.page.locator(f'section[data-key="{column}"]')
        return [str(key) for key in section.locator("li").evaluate_all("items => items.map((it) => it.dataset.key)")]

    def settles(self, column: str, expected: set[str]) -> list[str]:
        """Wait until exactly these orders are in the column; in which order they are."""
        eventually(lambda: sorted(self.cards(column)) == sorted(expected), deadline=180, that=f"{column}: {expected}")
        return self.cards(column)

    @property
    def overflow(self) -> int:
        """The pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@contextmanager
def looking(opened: Browser, url: str, **context: Any) -> Iterator[BoardPage]:
    """A window of its own, with its own cookies. At the end nothing may have gone wrong in it."""
    window: BrowserContext = opened.new_context(**{"locale": "en-GB", "timezone_id": "UTC", **context})
    try:
        look = BoardPage(window.new_page(), url)
        yield look
        look.check()
    finally:
        window.close()
