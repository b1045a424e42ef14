"""The board in a real browser: each view, for each role, against a running service."""

import asyncio
import csv
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from orderflow import OrderFlow
from orderflow.application.consuming.dead_letter import DeadLetter
from playwright.sync_api import Browser, Route, expect

from tests.support.board import PATIENCE, BoardPage, Service, browser, chromium, looking, service
from tests.support.servers import obtain
from tests.support.waiting import eventually_async

FOCUSED_SECTION = "document.activeElement.closest('section')?.textContent ?? ''"
OPEN = ("waiting_for_shipper", "preparing", "on_the_way")
HOSTILE = "<script>document.title='x'</script><img src=x onerror=alert(1)> \"'&amp; \u202eolleh"
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser(obtain(chromium)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Service]:
    """A service with some orders in each state, of two restaurants."""
    folder = tmp_path_factory.mktemp("board")
    with service(folder, f"sqlite:///{shutil.copy(migrated_file, folder)}") as running:
        for number in range(3):
            running.place(f"wait-{number}")
        running.place("other-1", restaurantId="R8", userId="C2")
        running.place("prep-1")
        running.move("prep-1", "assign")
        running.place("way-1")
        running.move("way-1", "assign", "on_the_way")
        running.place("done-1")
        running.move("done-1", "assign", "on_the_way", "delivered")
        running.place("gone-1", userId="C2")
        running.move("gone-1", "cancelled")
        yield running


@pytest.fixture(scope="module")
def window(chrome: Browser, shop: Service) -> Iterator[BoardPage]:
    with looking(chrome, shop.url) as opened:
        yield opened


@pytest.fixture
def look(window: BoardPage) -> Iterator[BoardPage]:
    """One window for all tests: a new one takes Chromium half a second of the processor."""
    yield window
    window.leave()


@pytest.fixture
def own_look(chrome: Browser, shop: Service) -> Iterator[BoardPage]:
    """A window of the test's own, whose clock it may set."""
    with looking(chrome, shop.url) as opened:
        yield opened


@pytest.mark.parametrize("actor", ["admin:boss", "restaurant:R7", "shipper:S3", "customer:C2"])
def test_each_role_sees_its_orders_by_state_and_their_number(look: BoardPage, shop: Service, actor: str) -> None:
    look.enter(actor)

    states = shop.states(actor)
    for state in (*OPEN, "delivered", "cancelled"):
        look.settles(state, states.get(state, set()))
        expect(look.page.locator(f"#column-{state}")).to_contain_text(f"({len(states.get(state, set()))})")
    assert look.page.get_by_role("link", name="Orders", exact=True).get_attribute("aria-current") == "page"


def test_a_courier_sees_what_waits_for_a_shipper(look: BoardPage, shop: Service) -> None:
    look.enter("shipper:S9")

    look.page.get_by_role("button", name="Waiting for a shipper").click()

    look.settles("waiting_for_shipper", {"wait-0", "wait-1", "wait-2", "other-1"})
    assert "show=available" in look.page.url


def test_what_is_late_is_marked_and_comes_first_and_can_be_found_alone(own_look: BoardPage, shop: Service) -> None:
    look = own_look
    look.page.clock.install()
    look.enter("restaurant:R7")
    look.settles("waiting_for_shipper", {"wait-0", "wait-1", "wait-2"})

    look.page.clock.fast_forward("16:00")

    card = look.page.locator('li[data-key="wait-0"]')
    expect(card).to_have_attribute("data-urgency", "late")
    expect(card).to_contain_text("late")
    expect(look.page.locator('li[data-key="prep-1"]')).to_have_attribute("data-urgency", "fine")
    expect(look.page.get_by_role("status")).to_contain_text("3 orders are late")
    look.page.get_by_role("button", name="Late only").click()
    expect(look.page.locator('li[data-key="prep-1"]')).to_have_count(0)
    expect(look.page).to_have_url(re.compile("late=true"))
    expect(look.page.get_by_role("status")).to_contain_text("3 orders are late")


def test_a_search_is_a_link(look: BoardPage, chrome: Browser, shop: Service) -> None:
    look.enter("admin:boss")
    look.page.keyboard.press("/")
    look.page.keyboard.type("wait-1")
    expect(look.page).to_have_url(re.compile("q=wait-1"))
    look.settles("waiting_for_shipper", {"wait-1"})

    with looking(chrome, shop.url) as somebody_else:
        somebody_else.enter("admin:boss", view=look.page.url.partition("/#")[2].join(["#", ""]))
        somebody_else.settles("waiting_for_shipper", {"wait-1"})
        assert somebody_else.page.get_by_label("Search").input_value() == "wait-1"


def test_an_order_is_brought_from_the_door_to_its_end_by_the_buttons_alone(look: BoardPage, shop: Service) -> None:
    shop.place("walk-1")
    look.enter("restaurant:R7")
    look.page.locator('li[data-key="walk-1"] a').click()
    page = look.page
    expect(page.get_by_role("heading", name="Order walk-1")).to_be_visible()
    expect(page.get_by_role("button", name="Send out")).to_be_disabled()
    expect(page.locator(".actions")).to_contain_text("use one of the next states")

    page.get_by_role("button", name="Assign a shipper").click()
    page.get_by_role("dialog").get_by_label("Shipper").fill("S3")
    page.get_by_role("dialog").get_by_role("button", name="Assign a shipper").click()

    expect(page.locator(".age-line")).to_contain_text("Preparing")
    expect(page.locator(".timeline > li")).to_have_count(3)
    expect(page.get_by_role("button", name="Send out")).to_be_disabled()
    expect(page.locator(".actions")).to_contain_text("restaurant:R7 is not permitted")
    shop.move("walk-1", "on_the_way", "delivered")
    expect(page.locator(".age-line")).to_contain_text("Delivered")
    expect(page.locator(".diagram .node.taken")).to_have_count(3)
    assert page.locator(".actions button:enabled").all_text_contents() == ["Refund"]


def test_an_action_on_an_old_version_is_refused_and_says_so(look: BoardPage, shop: Service) -> None:
    shop.place("race-1")
    look.enter("admin:boss", "#/orders/race-1")
    page = look.page
    page.get_by_role("button", name="Cancel the order").click()
    shop.move("race-1", "assign")
    expect(page.locator(".age-line")).to_contain_text("Preparing")

    page.get_by_role("dialog").get_by_label("Reason").fill("too late")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()

    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("version")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "cancelled" not in shop.states() or "race-1" not in shop.states()["cancelled"]
    look.errors.clear()  # the browser logs the 412


def test_an_order_is_shown_as_it_was_and_as_each_consumer_has_it(look: BoardPage, shop: Service) -> None:
    look.enter("admin:boss", "#/orders/done-1")
    page = look.page
    earlier = page.locator("section", has=page.get_by_role("heading", name="As it was"))
    expect(earlier).to_contain_text("Delivered")
    expect(page.locator(".status")).to_be_empty()

    page.get_by_role("slider").fill("0")

    expect(earlier).to_contain_text("Waiting for a shipper")
    expect(earlier).to_contain_text("version 1")
    page.get_by_role("button", name="Next event").click()
    expect(earlier).to_contain_text("Preparing")
    expect(page.locator(".steps").first).to_contain_text("analytics: counted")
    page.locator("summary", has_text="as published").first.click()
    expect(page.locator("pre").first).to_contain_text('"type": "order.created"')


def test_hostile_and_long_texts_are_only_texts(look: BoardPage, shop: Service) -> None:
    long = "x" * 200
    shop.place(
        "\"'<b>&lt;",
        userId="<i>C\"1'",
        orderDetails=[
            {"foodId": "<F>", "foodName": HOSTILE, "price": 9, "quantity": 1},
            {"foodId": "F2", "foodName": long, "price": 9, "quantity": 1},
        ],
        address={"street": HOSTILE[:90], "city": "<b>" + "y" * 90, "note": "n" * 500},
        customerName=HOSTILE[:90],
        note=HOSTILE,
        metadata={"k" * 40: HOSTILE, "<b>": "v" * 200},
    )
    look.enter("restaurant:R7")
    card = look.page.locator("li.card", has_text="&lt;")
    expect(card).to_contain_text("<script>document.title")
    assert look.overflow == 0

    card.locator("a").click()

    expect(look.page.get_by_role("heading", level=1)).to_have_text("Order \"'<b>&lt;")
    expect(look.page.locator("tbody").first).to_contain_text(HOSTILE)
    expect(look.page.locator("dl")).to_contain_text("<i>C\"1'")
    assert look.page.locator("main script, main img, main b, main i").count() == 0
    assert look.overflow == 0
    look.page.set_viewport_size({"width": 320, "height": 700})
    assert look.overflow == 0
    assert min(look.page.locator("dd").evaluate_all("all => all.map((each) => each.clientWidth)")) > 100


def test_what_is_not_there_is_said_and_not_asked_for_again(look: BoardPage, shop: Service) -> None:
    look.enter("admin:boss", "#/orders/nothing")
    page = look.page
    expect(page.get_by_role("alert")).to_have_text("there is no order 'nothing'")
    expect(page.get_by_role("heading", name="Timeline")).to_be_hidden()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    look.go("#/orders?q=%00")

    expect(page.get_by_role("status")).to_contain_text("There is no such search: q: a control character")
    shop.place("meanwhile-1")
    look.go("#/orders")
    expect(page.get_by_role("status")).to_contain_text("Live")
    assert sum("q=%00" in url for url in asked) == 2  # the orders and their number
    look.errors.clear()  # the browser logs each 400 and 404


def test_a_search_that_is_refused_after_the_stream_has_begun_is_not_sent_again(
    own_look: BoardPage, shop: Service
) -> None:
    look, page = own_look, own_look.page
    page.clock.install()
    look.enter("admin:boss")
    expect(page.get_by_role("status")).to_contain_text("Live")
    snapshot = 'event: snapshot\ndata: {"first": true, "last": true, "orders": []}\n\n'
    page.route("**/v1/stream", lambda route: route.fulfill(content_type="text/event-stream", body=snapshot))
    held = look.hold(re.compile("q=%00"))

    look.go("#/orders?q=%00")

    expect(page.get_by_role("status")).to_contain_text("interrupted: the stream has ended")  # the snapshot was read
    for route in held:
        route.continue_()
    expect(page.get_by_role("status")).to_contain_text("There is no such search: q: a control character")
    page.unroute_all()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward("01:00")
    look.go("#/orders")
    expect(page.get_by_role("status")).to_contain_text("Live")
    assert not [url for url in asked if "q=%00" in url]
    look.errors.clear()  # the browser logs each 400


def test_a_list_that_cannot_be_read_once_is_read_again_and_the_board_is_live(look: BoardPage, shop: Service) -> None:
    page = look.page
    page.route("**/v1/orders:count*", lambda route: route.fulfill(status=503, body="{}"))
    look.enter("admin:boss")
    expect(page.get_by_role("status")).to_contain_text("interrupted: the server responded with 503")

    page.unroute_all()

    expect(page.get_by_role("status")).to_contain_text("Live")
    look.errors.clear()  # the browser logs each 503


@pytest.mark.parametrize(
    ("view", "without", "shown"),
    [
        ("#/orders/wait-0", "**/v1/orders/wait-0/timeline", "section[aria-labelledby=events] li"),
        ("#/operation", "**/v1/operations/rollout", "#share"),
        ("#/operation", "**/v1/operations/changes", "section[aria-labelledby=title-changes] div > *"),
        ("#/operation", "**/v1/operations/dead-letters", "dead-letters div > *"),
    ],
)
def test_a_view_reads_again_what_it_could_not_read(
    look: BoardPage, shop: Service, view: str, without: str, shown: str
) -> None:
    page = look.page
    page.route("**/stream", lambda route: route.fulfill(status=204))  # its events would have the order read again
    page.route(without, lambda route: route.fulfill(status=503, body="{}"))
    with page.expect_response(without):
        look.enter("admin:boss", view)
    assert page.locator(shown).count() == 0

    page.unroute_all()

    expect(page.locator(shown).first).to_be_visible()
    expect(page.get_by_text("the server responded with 503")).to_have_count(0)
    look.errors.clear()  # the browser logs each 503


def test_a_killed_server_leaves_no_gap_and_no_double(look: BoardPage, shop: Service) -> None:
    look.enter("restaurant:R7")
    before = shop.states("restaurant:R7")["waiting_for_shipper"]
    look.settles("waiting_for_shipper", before)

    shop.kill()
    expect(look.page.get_by_role("status")).to_contain_text("interrupted")
    shop.start()
    shop.place("after-1")
    shop.place("after-2")

    expect(look.page.get_by_role("status")).to_contain_text("Live")
    look.settles("waiting_for_shipper", before | {"after-1", "after-2"})
    look.errors.clear()  # the browser logs each connection that was refused


def test_the_board_is_used_by_keyboard_alone(look: BoardPage, shop: Service) -> None:
    page = look.page
    page.goto(shop.url)
    page.get_by_label("Role").wait_for()
    for key in ("Shift+Tab", "r", "Tab"):  # the role, then back to the id
        page.keyboard.press(key)
    page.keyboard.press("Control+a")
    page.keyboard.type("R7")
    page.keyboard.press("Enter")
    page.locator("li.card").first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("wait-2")
    look.settles("waiting_for_shipper", {"wait-2"})
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('li.card') !== null"):
            break

    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Order wait-2")).to_be_visible()


def test_a_screen_reader_and_a_telephone_find_nothing_serious(chrome: Browser, shop: Service) -> None:
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
    with looking(chrome, shop.url, **phone) as look:
        look.page.goto(shop.url)
        look.page.get_by_label("Role").wait_for()
        found = {"log-in": serious(look)}
        look.enter("admin:boss")
        look.page.locator("li.card").first.wait_for()
        found["orders"] = serious_by_day_and_night(look)
        assert look.overflow == 0
        look.go("#/orders/done-1")
        look.page.locator(".timeline > li").first.wait_for()
        found["order"] = serious_by_day_and_night(look)
        assert look.overflow == 0
        look.go("#/figures")
        look.page.locator(".chart").first.wait_for()
        found["figures"] = serious_by_day_and_night(look)
        assert look.overflow == 0
        look.go("#/operation")
        look.page.get_by_role("region", name="Processes (table)").wait_for()
        found["operation"] = serious_by_day_and_night(look)
        assert look.overflow == 0
        look.go("#/orders/prep-1")
        look.page.get_by_role("button", name="Cancel the order").click()
        found["dialog"] = serious_by_day_and_night(look)

    assert {view: problems for view, problems in found.items() if problems} == {}


def parked(shop: Service, *order_ids: str, error: str = "ValueError") -> None:
    """Have analytics park these orders, as if their first event had failed."""

    async def park() -> None:
        async with OrderFlow.open(shop.installation.stack.database_url) as flow:
            lag, now = flow.container.lag(), await flow.container.storage().now()

            async def caught_up() -> bool:
                return not any(each.events for each in await lag() if each.reader == "analytics")

            await eventually_async(
                caught_up, that="no event of the orders is to be handled behind those that are parked"
            )
            async with flow.container.effects().store("analytics") as work:
                for order_id in order_ids:
                    [record, *_] = await flow.container.storage().log.history(order_id)
                    failed = DeadLetter(
                        consumer="analytics",
                        record=record,
                        error=error,
                        message=f"<b>{order_id}</b>",
                        attempts=3,
                        first_failed_at=now,
                        last_failed_at=now,
                    )
                    await work.dead_letters.keep([failed])

    with ThreadPoolExecutor() as elsewhere:  # Playwright's own loop runs in this thread
        elsewhere.submit(asyncio.run, park()).result()


def test_an_operator_redrives_what_is_parked_and_says_why(look: BoardPage, shop: Service) -> None:
    for number in range(3):
        shop.place(f"park-{number}")
    parked(shop, "park-0", "park-1", "park-2")
    look.enter("admin:boss", "#/operation")
    section = look.page.locator("section", has=look.page.get_by_role("heading", name="Parked orders"))
    section.get_by_role("button", name="Dry run").click()
    expect(section.get_by_role("status")).to_contain_text("3 events of 3 orders would be handled")
    section.get_by_role("button", name="Show the orders").click()
    expect(section).to_contain_text("<b>park-0</b>")

    section.get_by_role("button", name="Drop").first.click()
    look.page.get_by_role("dialog").get_by_label("Reason").fill("counted by hand")
    look.page.get_by_role("dialog").get_by_role("button", name="Drop it").click()
    expect(section.get_by_role("status")).to_contain_text("park-0 is dropped")
    section.get_by_role("button", name="Redrive all 2").click()
    look.page.get_by_role("dialog").get_by_label("Reason").fill("repaired")
    look.page.get_by_role("dialog").get_by_role("button", name="Redrive").click()

    expect(section.get_by_role("status")).to_contain_text("2 orders unparked")
    expect(section).to_contain_text("No order is parked")
    assert look.page.evaluate(FOCUSED_SECTION).startswith("Parked orders")
    with shop.api() as client:
        changes = client.get("/v1/operations/changes").json()["changes"]
    assert {(each["by"], each["reason"]) for each in changes} == {
        ("admin:boss", "counted by hand"),
        ("admin:boss", "repaired"),
    }


def test_the_focus_stays_in_its_section_if_what_opened_a_dialog_is_gone(look: BoardPage, shop: Service) -> None:
    shop.place("park-3")
    parked(shop, "park-3")
    look.enter("admin:boss", "#/operation")
    section = look.page.locator("section", has=look.page.get_by_role("heading", name="Parked orders"))
    section.get_by_role("button", name="Redrive it").click()
    with shop.api() as client:
        body = {"consumer": "analytics", "orderId": "park-3", "reason": "counted by hand"}
        assert client.post("/v1/operations/dead-letters/drop", json=body).is_success
    expect(section).to_contain_text("No order is parked")

    look.page.get_by_role("dialog").get_by_role("button", name="Not now").click()

    expect(look.page.get_by_role("dialog")).to_have_count(0)
    assert look.page.evaluate(FOCUSED_SECTION).startswith("Parked orders")


def test_the_orders_of_one_error_do_not_come_below_the_name_of_another(look: BoardPage, shop: Service) -> None:
    shop.place("park-4")
    shop.place("park-5")
    parked(shop, "park-4")
    parked(shop, "park-5", error="KeyError")
    look.enter("admin:boss", "#/operation")
    section = look.page.locator("section", has=look.page.get_by_role("heading", name="Parked orders"))
    held = look.hold(re.compile("error=ValueError"))

    section.get_by_role("row", name="ValueError").get_by_role("button", name="Show the orders").click()
    section.get_by_role("row", name="KeyError").get_by_role("button", name="Show the orders").click()
    expect(section).to_contain_text("<b>park-5</b>")
    for route in held:
        route.continue_()
    section.get_by_role("row", name="KeyError").get_by_role("button", name="Dry run").click()
    expect(section.get_by_role("status")).to_contain_text("1 event of 1 order would be handled")

    expect(section).to_contain_text("<b>park-5</b>")
    expect(section).not_to_contain_text("<b>park-4</b>")
    with shop.api() as client:
        for order_id in ("park-4", "park-5"):
            body = {"consumer": "analytics", "orderId": order_id, "reason": "counted by hand"}
            assert client.post("/v1/operations/dead-letters/drop", json=body).is_success


def test_what_changes_while_the_operation_view_opens_is_shown(look: BoardPage, shop: Service) -> None:
    shop.place("park-6")
    parked(shop, "park-6")
    held = look.hold(re.compile("operations/status"))
    look.enter("admin:boss", "#/operation")
    section = look.page.locator("section", has=look.page.get_by_role("heading", name="Parked orders"))
    rollout = look.page.get_by_role("region", name="Consumers (table)").get_by_role("row", name="inventory")
    expect(section).to_contain_text("ValueError")
    expect(rollout.get_by_role("button", name="Pause")).to_be_visible()
    with shop.api() as client:
        body = {"consumer": "analytics", "orderId": "park-6", "reason": "counted by hand"}
        assert client.post("/v1/operations/dead-letters/drop", json=body).is_success
        assert client.post("/v1/operations/consumers/inventory/pause", json={"reason": "stock-taking"}).is_success

    for route in held:
        route.continue_()

    expect(section).to_contain_text("No order is parked")
    expect(rollout).to_contain_text("paused by admin:boss: stock-taking")
    with shop.api() as client:
        assert client.post("/v1/operations/consumers/inventory/resume", json={"reason": "done"}).is_success


def test_an_operator_sees_the_lag_and_pauses_a_consumer(look: BoardPage, shop: Service) -> None:
    look.enter("admin:boss", "#/operation")
    readers = look.page.get_by_role("region", name="Lag of each reader (table)")
    expect(readers).to_contain_text("inventory")
    readers.focus()
    for _ in range(2):
        with look.page.expect_response("**/v1/operations/status"):
            pass
    expect(readers).to_be_focused()
    rollout = look.page.get_by_role("region", name="Consumers (table)")

    rollout.get_by_role("row", name="inventory").get_by_role("button", name="Pause").click()
    look.page.get_by_role("dialog").get_by_label("Reason").fill("stock-taking")
    look.page.get_by_role("dialog").get_by_role("button", name="Pause").click()

    expect(rollout).to_contain_text("paused by admin:boss: stock-taking")
    rollout.get_by_role("button", name="Resume").click()
    look.page.get_by_role("dialog").get_by_label("Reason").fill("done")
    look.page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(look.page.get_by_role("region", name="Changes by hand (table)")).to_contain_text("inventory resumed")
    look.page.get_by_role("button", name="Examine now").click()
    findings = look.page.locator("section", has=look.page.get_by_role("heading", name="The doctor"))
    expect(findings.get_by_role("status")).to_be_visible()


def test_the_figures_are_those_of_the_api_and_can_be_saved(look: BoardPage, shop: Service) -> None:
    shop.place("dear-1", orderDetails=[{"foodId": "F1", "foodName": "Pizza", "price": 9_999_999, "quantity": 999}])
    look.enter("restaurant:R7", "#/figures")
    with shop.api("restaurant:R7") as client:
        reasons = client.get("/v1/analytics/cancellations").json()["reasons"]
    section = look.page.locator("section", has=look.page.get_by_role("heading", name="Cancellations"))

    section.locator("summary").click()

    expect(section.locator("tbody tr")).to_have_count(len(reasons))
    assert exported(look, section) == [{"reason": each["reason"], "orders": str(each["orders"])} for each in reasons]
    assert cut_texts(look) == []
    expect(look.page.locator("#begin")).to_be_hidden()
    look.page.get_by_label("Orders of").select_option("From … until …")
    look.page.locator("#until").fill("2024-05-17T12:00")
    expect(look.page.get_by_role("alert")).to_have_text("The times begin after their end.")
    look.page.locator("#begin").fill("2024-01-01T00:00")
    look.page.locator("#begin").press("Enter")
    expect(section).to_contain_text("None.")
    expect(look.page.get_by_text("for at most 31 days")).to_be_visible()
    assert exported(look, section) == []
    expect(look.page).to_have_url(re.compile("from=2024-01-01"))
    look.page.get_by_label("Orders of").select_option("The last 31 days")
    expect(section).not_to_contain_text("None.")
    look.page.set_viewport_size({"width": 390, "height": 800})
    look.page.get_by_role("button", name="Read again").click()
    expect(look.page.locator(".chart svg").first).to_have_attribute("viewBox", re.compile("^0 0 340"))
    assert cut_texts(look) == []


def cut_texts(look: BoardPage) -> list[str]:
    """The texts of charts that do not fit in them."""
    found: list[str] = look.page.locator(".chart text").evaluate_all(
        """texts => texts.filter((each) => {
          const box = each.getBBox();
          return box.x < 0 || box.x + box.width > each.ownerSVGElement.viewBox.baseVal.width;
        }).map((each) => each.textContent)"""
    )
    return found


def exported(look: BoardPage, within: Any) -> list[dict[str, str]]:
    """The rows of the file that the button there saves."""
    with look.page.expect_download() as saved:
        within.get_by_role("button", name="Export CSV").click()
    text = saved.value.path().read_text(encoding="utf-8-sig")
    return [*csv.DictReader(text.splitlines())]


def test_the_orders_that_are_found_can_be_saved(look: BoardPage, shop: Service) -> None:
    look.enter("restaurant:R7", "#/orders?q=C2")
    look.settles("cancelled", {"gone-1"})

    rows = exported(look, look.page.locator(".controls"))

    assert [(row["orderId"], row["state"], float(row["totalPrice"])) for row in rows] == [("gone-1", "cancelled", 25)]


def test_a_restaurant_refunds_an_amount_and_says_why(look: BoardPage, shop: Service) -> None:
    shop.place("cold-1")
    shop.move("cold-1", "assign", "on_the_way", "delivered")
    look.enter("restaurant:R7", "#/orders/cold-1")
    page = look.page
    expect(page.locator(".actions")).to_contain_text("$25.00 can be refunded")
    page.get_by_role("button", name="Refund").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Amount in USD")).to_be_hidden()
    dialog.get_by_label("What is refunded").select_option("Another amount")
    dialog.get_by_label("Amount in USD").fill("25,5")
    dialog.get_by_label("Reason").fill("the soup was cold")
    dialog.get_by_role("button", name="Refund").click()
    expect(dialog.get_by_role("alert")).to_contain_text("at most 25.0 USD")
    look.errors.clear()  # the browser logs the 400

    dialog.get_by_label("Amount in USD").fill("6,5")
    dialog.get_by_role("button", name="Refund").click()

    expect(page.locator(".actions")).to_contain_text("$18.50 can be refunded")
    expect(page.locator("dl")).to_contain_text("$6.50 paid back")
    expect(page.locator(".timeline")).to_contain_text("$6.50: handed back, the soup was cold, borne by restaurant")
    with shop.api() as client:
        [*_, last] = client.get("/v1/orders/cold-1/timeline").json()["events"]
    assert {name: last["event"]["data"][name] for name in ("amount", "reason", "borneBy")} == {
        "amount": 6.5,
        "reason": "the soup was cold",
        "borneBy": "restaurant",
    }


def test_an_order_shows_who_was_notified_and_what_it_reserved(look: BoardPage, shop: Service) -> None:
    with ThreadPoolExecutor() as elsewhere:
        elsewhere.submit(shop.installation.run, "stock", "set", "R7", "F1", "5").result()
    shop.place("notified-1")

    look.enter("admin:boss", "#/orders/notified-1")
    page = look.page

    expect(page.locator(".steps").first).to_contain_text("inventory: reserved 2 F1")
    expect(page.locator(".steps").first).to_contain_text(re.compile(r"committed \d+ ms"))
    notified = page.locator(".notified li", has_text="customer:C1").first
    expect(notified).to_contain_text(re.compile(r"sent by log, \d+ m?s after the commit"))
    notified.locator("summary").click()
    expect(notified).to_contain_text("notified-1")


def serious_by_day_and_night(look: BoardPage) -> list[str]:
    """Serious findings in the light colours, and in the dark ones on their contrast: all else is the same."""
    found = serious(look)
    look.page.emulate_media(color_scheme="dark")
    found += serious(look, runOnly={"type": "rule", "values": ["color-contrast"]})
    look.page.emulate_media(color_scheme="light")
    return found


def serious(look: BoardPage, **options: Any) -> list[str]:
    violations = Axe().run(look.page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]


def test_after_a_log_out_the_page_has_forgotten(look: BoardPage, shop: Service) -> None:
    look.enter("restaurant:R7")
    look.page.locator("li.card").first.wait_for()

    look.page.get_by_role("button", name="Log out").click()

    expect(look.page.get_by_role("heading", name="Log in")).to_be_visible()
    assert look.page.locator("li.card").count() == 0
    look.page.reload()
    expect(look.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_nothing_is_asked_for_any_more_when_it_logs_out(look: BoardPage, shop: Service) -> None:
    views: list[int] = []

    def count_views(route: Route) -> None:
        if route.request.method == "DELETE":
            views.append(look.page.locator("orders-view").count())
        route.continue_()

    look.enter("restaurant:R7")
    look.page.locator("orders-view").wait_for()
    look.page.route("**/board/session", count_views)

    look.page.get_by_role("button", name="Log out").click()

    expect(look.page.get_by_role("heading", name="Log in")).to_be_visible()
    assert views == [0]


def test_without_the_server_a_log_out_says_so_and_can_be_tried_again(look: BoardPage, shop: Service) -> None:
    look.enter("restaurant:R7")
    look.page.route("**/board/session", lambda route: route.abort())

    look.page.get_by_role("button", name="Log out").click()

    expect(look.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    look.page.unroute("**/board/session")
    look.page.get_by_role("button", name="Try again").click()
    look.page.get_by_role("navigation").wait_for()
    look.errors.clear()  # the browser's own, of the requests without a response


def test_a_thousand_orders_are_drawn_without_a_long_pause(look: BoardPage, shop: Service) -> None:
    batch = [
        {
            "orderId": f"many-{number}",
            "userId": "C1",
            "restaurantId": "R9",
            "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2}],
            "paymentMethod": "cash",
        }
        for number in range(990)
    ]
    with shop.api() as client:
        assert client.post("/v1/orders:batch", json=batch).status_code == 200
    look.enter("restaurant:R9")
    expect(look.page.locator("#column-waiting_for_shipper")).to_contain_text("(990)")
    assert len(look.cards("waiting_for_shipper")) == 20

    look.page.get_by_role("button", name=re.compile("Show 20 more")).click()

    assert len(look.cards("waiting_for_shipper")) == 40


def test_the_counters_are_those_of_the_api_after_a_day(look: BoardPage, shop: Service, tmp_path: Path) -> None:
    look.enter("admin:boss")
    look.page.locator("li.card").first.wait_for()

    with ThreadPoolExecutor() as elsewhere:
        for command in (("generate", str(tmp_path), "--orders", "60"), ("run", str(tmp_path), "--no-consumers")):
            elsewhere.submit(shop.installation.run, "simulate", *command).result()

    with shop.api() as client:
        counts = {each["state"]: each["orders"] for each in client.get("/v1/orders:count").json()["counts"]}
    assert counts["delivered"] > 50  # more than are listed
    for state, orders in counts.items():
        expect(look.page.locator(f"#column-{state}")).to_contain_text(f"({orders:,})")
