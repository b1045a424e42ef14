"""``make screenshots``: a picture of each view of the board, in light and dark, on a screen and on a telephone.

They are for people to look at, after a change of the board. Needs Chromium.
"""

import asyncio
import random
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from orderflow import OrderFlow
from orderflow.application.consuming.dead_letter import DeadLetter
from playwright.sync_api import Browser

from tests.support.board import BoardPage, Service, browser, chromium, looking, service, watched_day
from tests.support.databases import migrated
from tests.support.servers import MissingServer

FOODS = ("Pizza Margherita", "Green curry", "Tiramisu", "Ramen", "Falafel wrap", "Cola", "Poke bowl")
NAMES = ("Ann Smith", "Jürgen Müller", "Zoë Blanc", "Li Wei")
WINDOWS = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "telephone": {"viewport": {"width": 390, "height": 800}, "has_touch": True},
}
README = {"viewport": {"width": 1200, "height": 900}, "device_scale_factor": 0.6}
"""The window of the pictures that are copied to docs/pictures, of at most 120 kB each."""
ORDERS = 60


def place_orders(shop: Service) -> None:
    """Orders of one evening in all states; the same in each run."""
    dice = random.Random(7)
    for number in range(ORDERS):
        order_id = f"2026-{number:04}"
        lines = [
            {"foodId": f"F{food}", "foodName": dice.choice(FOODS), "price": dice.randint(3, 25), "quantity": 1}
            for food in range(dice.randint(1, 3))
        ]
        shop.place(
            order_id,
            userId=f"C{dice.randint(1, 30)}",
            restaurantId=f"R{dice.randint(5, 8)}",
            customerName=dice.choice(NAMES),
            orderDetails=lines,
        )
        steps = dice.choice([(), (), ("assign",), ("assign", "on_the_way"), ("cancelled",)])
        if number % 4 == 0:
            steps = ("assign", "on_the_way", "delivered")
        shop.move(order_id, *steps, shipper=f"S{dice.randint(1, 4)}")


async def park(url: str) -> None:
    """Have a consumer park some orders."""
    async with OrderFlow.open(url) as flow:
        now = await flow.container.storage().now()
        async with flow.container.effects().store("notifications") as work:
            for number in range(5):
                [record, *_] = await flow.container.storage().log.history(f"2026-{number:04}")
                error = "ConnectionRefusedError" if number < 3 else "ValueError"
                failed = DeadLetter(
                    consumer="notifications",
                    record=record,
                    error=error,
                    message="the mail server refused the connection",
                    attempts=3,
                    first_failed_at=now - timedelta(minutes=1),
                    last_failed_at=now,
                )
                await work.dead_letters.keep([failed])


def take(look: BoardPage, folder: Path, window: str) -> None:
    """One picture of each view."""

    def picture(name: str) -> None:
        look.page.evaluate("scrollTo(0, 0)")  # its header stays where it is
        look.page.screenshot(path=folder / f"{name}-{window}.png", full_page=True)

    look.page.clock.install()
    look.page.goto(look.url)
    look.page.get_by_label("Role").wait_for()
    picture("log-in")
    look.enter("admin:ann")
    look.page.locator("li.card").first.wait_for()
    look.page.clock.fast_forward("14:00")
    picture("orders")
    look.page.clock.fast_forward("14:00")
    look.page.locator('[data-urgency="late"]').first.wait_for()
    picture("orders-late")
    look.go("#/orders/2026-0000")
    look.page.locator(".timeline > li").first.wait_for()
    look.page.clock.run_for(1_000)
    look.page.get_by_text("version 7").wait_for()
    picture("order")
    look.go("#/figures")
    look.page.locator(".chart").first.wait_for()
    picture("figures")
    look.go("#/operation")
    look.page.get_by_role("button", name="Examine now").click()
    look.page.locator(".findings, [role=status]:has-text('Nothing')").first.wait_for()
    look.page.locator("dead-letters table").wait_for()
    look.page.clock.run_for(5_000)
    look.page.locator(".chart").first.wait_for()
    picture("operation")


def take_day(opened: Browser, folder: Path, temporary: Path) -> None:
    """Pictures of a day that is watched: at noon in each window, and of the map and the orders at its end."""
    with watched_day(temporary, "--orders", "300") as day, looking(opened, day.url, **WINDOWS["light"]) as look:
        look.page.goto(day.link)
        look.page.locator("day-clock strong", has_text=re.compile("^(12:[3-5]|1[3-9]:|2)")).wait_for()
        look.page.get_by_role("button", name="Pause").click()
        for window, options in WINDOWS.items():
            with looking(opened, day.url, **options) as other:
                other.page.goto(day.link)
                other.page.locator('.marks [data-state="delivered"]', has_text=re.compile(r"[1-9]")).wait_for()
                other.page.screenshot(path=folder / f"day-{window}.png", full_page=True)
        with looking(opened, day.url, **README) as other:
            for view, shown in (("day", '.marks [data-state="delivered"]'), ("orders", "#column-delivered")):
                other.page.goto(day.link.replace("#/day", f"#/{view}"))
                other.page.locator(shown, has_text=re.compile(r"[1-9]")).first.wait_for()
                other.page.screenshot(path=folder / f"readme-{view}.png")
        look.page.get_by_role("button", name="max").click()
        look.page.get_by_text("The day is over.").wait_for()
        look.page.locator('.marks [data-state="late"]', has_text="3").wait_for()
        look.page.screenshot(path=folder / "day-over-light.png", full_page=True)
        look.go("#/orders")
        look.page.locator('[data-urgency="late"]').first.wait_for()
        look.page.screenshot(path=folder / "day-orders-light.png")


def main(folder: Path) -> None:
    program = chromium()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        url = f"sqlite:///{temporary}/board.db"
        migrated(url)
        with service(Path(temporary), url) as shop:
            place_orders(shop)
            with ThreadPoolExecutor() as elsewhere:
                elsewhere.submit(asyncio.run, park(url)).result()
            with browser(program) as opened:
                for window, options in WINDOWS.items():
                    with looking(opened, shop.url, **options) as look:
                        take(look, folder, window)
                take_day(opened, folder, Path(temporary))
    sys.stdout.write(f"{len(list(folder.glob('*.png')))} pictures in {folder}\n")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots"))
    except MissingServer as missing:
        sys.exit(f"no picture is made: {missing}")
