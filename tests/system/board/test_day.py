"""A day of ``orderflow demo`` as a newcomer sees it: watched on the map, and then looked after on the board."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.board import PATIENCE, BoardPage, browser, chromium, looking, watched_day
from tests.support.servers import obtain
from tests.support.waiting import eventually
from tests.system.board.test_views import serious

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser(obtain(chromium)) as opened:
        yield opened


def test_a_newcomer_watches_the_day_and_looks_after_what_it_leaves(chrome: Browser, tmp_path: Path) -> None:
    with watched_day(tmp_path, "--orders", "20", "--speed", "60") as day, looking(chrome, day.url) as look:
        page = look.page
        eventually(lambda: day.opened == day.link, deadline=60, that="the board is opened in the browser")
        page.goto(day.opened)
        expect(page).to_have_url(re.compile("#/day$"))
        watch_at_each_pace(look)

        page.get_by_role("button", name="max").click()

        expect(page.get_by_text("The day is over.")).to_be_visible()
        expect(page.locator('.marks [data-state="delivered"]')).to_contain_text("20")
        expect(page.locator('.marks [data-state="late"]')).to_contain_text("3")
        assert look.overflow == 0
        deliver_what_is_late(look)
        find_it_by_its_telephone_number(look)
        redrive_what_is_parked(look)
        day.process.send_signal(signal.SIGINT)
        assert day.process.wait(60) == 0
        look.errors.clear()  # the browser logs each connection that was refused
    assert "Traceback" not in day.said
    assert "row = fold(log)" in day.printed


def watch_at_each_pace(look: BoardPage) -> None:
    """The clock runs, stands still, and runs again; the map says in words what it shows."""
    clock = look.page.locator("day-clock strong")
    began = clock.inner_text()
    eventually(lambda: clock.inner_text() > began, deadline=60, that="the clock runs")
    look.page.get_by_role("button", name="Pause").click()
    expect(look.page.get_by_role("button", name="Go on")).to_be_visible()
    with look.page.expect_response("**/board/day/clock") as first:
        pass
    with look.page.expect_response("**/board/day/clock") as second:
        pass
    assert first.value.json()["time"] == second.value.json()["time"]
    expect(look.page.get_by_role("img")).to_have_attribute("aria-label", re.compile("0 delivered, 0 cancelled, 0 late"))
    assert serious(look) == []


def deliver_what_is_late(look: BoardPage) -> None:
    page = look.page
    page.get_by_role("link", name="To the orders").click()
    page.locator('[data-key="on_the_way"] [data-urgency="late"] a').first.click()
    expect(page.locator(".age-line")).to_contain_text("past estimate")
    page.get_by_role("button", name="Mark as delivered").click()
    page.get_by_role("dialog").get_by_role("button", name="Mark as delivered").click()
    expect(page.locator(".age-line")).to_contain_text("Delivered")


def find_it_by_its_telephone_number(look: BoardPage) -> None:
    page = look.page
    expect(page.locator(".notified").first).to_contain_text("sent by log, 1 Jan 2024")  # not after the commit of today
    title = page.get_by_role("heading", level=1).inner_text().removeprefix("Order ")
    telephone = page.locator("dt", has_text="Telephone").locator("+ dd").inner_text()
    page.get_by_role("link", name="← Orders").click()
    page.get_by_label("Search").fill(telephone.removeprefix("+1 ").replace(" ", "-"))
    expect(page.locator(f'[data-key="delivered"] li[data-key="{title}"]')).to_be_visible()


def redrive_what_is_parked(look: BoardPage) -> None:
    page = look.page
    page.get_by_role("link", name="Operation").click()
    page.get_by_role("button", name="Show the orders").click()
    page.get_by_role("link", name=re.compile("parked-1$")).click()
    expect(page.locator(".steps").first).to_contain_text("notifications: parked, LookupError: no text")
    page.get_by_role("link", name="Operation").click()
    page.get_by_role("button", name="Redrive it").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("there is a text now")
    page.get_by_role("dialog").get_by_role("button", name="Redrive").click()
    expect(page.get_by_text("No order is parked.")).to_be_visible()
