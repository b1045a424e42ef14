"""The demo that is watched: the day on the board, at a speed that people choose, and some orders that are left."""

import asyncio
import logging
import webbrowser
from collections.abc import Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from ...adapters.notifications.templates import FileMessageTemplates
from ...domain.text import counted
from ..settings import CONSUMERS, Settings
from ..shutdown import until_signalled
from ..simulation.courier_ways import Place, geography_of
from ..simulation.day import Day
from ..simulation.dispatch_plan import plan_day
from ..simulation.leftovers import PARKED, FailingTemplates, leave, left_orders
from ..simulation.paced_clock import PacedClock
from ..simulation.run_day import InProcessOrderClient
from ..simulation.watched_day import PacedOrderClient, WatchedDay
from .day_run import opened_container, report_of, run_steps
from .demo import quiet, say_what_runs, show_results
from .lag import caught_up
from .main import INTERRUPTED
from .session import session

if TYPE_CHECKING:
    from ..container import Container

ACTOR = "admin:you"
FIRST_LOOK_SECONDS = 30.0
"""The day begins when the board is looked at, or after this time."""
LEAD_SECONDS = 300
"""The time of the day before its first order."""
CATCH_UP_SECONDS = 60.0


async def watched_demo(
    settings: Settings, day: Day, *, speed: float | None, workers: int, port: int, open_browser: bool
) -> int:
    """Run ``day`` with the board until it is over and a signal comes. Returns the exit code."""
    on_this_machine = evolve(
        settings,
        http_host="127.0.0.1",
        http_port=port,
        http_dev=True,
        oidc_issuer="",
        http_limits_url="",
        http_cors_origins=(),
        available_orders="all",
    )
    clock = PacedClock(max(0, plan_day(day)[0].at - LEAD_SECONDS), speed=speed)
    clock.change(speed=speed, paused=True)
    watched = WatchedDay(name=day.name, geography=geography_of(day), clock=clock)
    templates = FailingTemplates(FileMessageTemplates())
    async with opened_container(on_this_machine, clock, templates) as container:
        try:
            async with until_signalled(container.stopping()) as stop:
                demo = _WatchedDemo(container, day, watched, templates, speed, workers, open_browser)
                return await demo.run(stop)
        finally:
            container.stopping().ended()


@frozen
class _WatchedDemo:
    container: "Container"
    day: Day
    watched: WatchedDay
    templates: FailingTemplates
    speed: float | None
    workers: int
    open_browser: bool
    ready: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def run(self, stop: asyncio.Event) -> int:
        """Serve the board, live the day, and wait for ``stop``. Raises the error of what fails meanwhile."""
        from ..processes import run_parts

        parts = [
            asyncio.create_task(self._serve(stop)),
            asyncio.create_task(run_parts(self.container, consumers=CONSUMERS, stop=stop)),
        ]
        living, stopped = asyncio.create_task(self._live()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*parts, living, stopped], return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                code = living.result()
                await asyncio.wait([*parts, stopped], return_when=asyncio.FIRST_COMPLETED)
                return code
            if stop.is_set():
                session().info(f"stopped at {self.watched.clock():%H:%M} of the day; nothing is kept")
            return INTERRUPTED
        finally:
            stop.set()
            self.container.news().notify()
            for task in (living, stopped):
                task.cancel()
            await asyncio.gather(living, stopped, return_exceptions=True)
            await asyncio.gather(*parts)

    async def _serve(self, stop: asyncio.Event) -> None:
        from ..http import serve
        from ..http_app import http_app

        settings: Settings = self.container.settings()
        await serve(
            http_app(self.container, day=self.watched),
            host=settings.http_host,
            port=settings.http_port,
            stop=stop,
            on_ready=self._is_ready,
            grace_seconds=None,  # the deadline is the process's
            stopping=self.container.stopping(),
            setting="--port",
        )

    def _is_ready(self, host: str, port: int) -> None:
        url = f"http://{host}:{port}"
        self.container.process_registration().runs("api")
        self.container.process_registration().listens(url)
        link = f"{url}/#/day?as={ACTOR}"
        session().info(
            f"the board: {link}\n"
            f"It is open to this machine only, and to everyone on it. The day begins when you open it, or in "
            f"{FIRST_LOOK_SECONDS:.0f} seconds. Ctrl-C ends it."
        )
        if self.open_browser:
            asyncio.get_running_loop().run_in_executor(None, copy_context().run, _open, link)
        self.ready.set()

    async def _live(self) -> int:
        """Live the day, check it, show the results, and leave some orders. Returns the exit code."""
        await self.ready.wait()
        say_what_runs(self.day, self.container.settings())
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self.watched.seen.wait()
        except TimeoutError:
            session().info("the day begins; the board has not been opened yet")
        clock = self.watched.clock
        clock.change(speed=self.speed, paused=False)
        client = InProcessOrderClient(self.container.use_cases())
        result, seconds = await run_steps(
            self.day,
            PacedOrderClient(client, clock),
            clock,
            self.workers,
            None,
            people=True,
            noted=self.watched.progress,
        )
        self.watched.end()
        lag = await caught_up(self.container, CATCH_UP_SECONDS)
        events = sum((await self.container.storage().log.heads()).values())
        report = report_of(self.day, result, seconds, events, {it.reader: it.events for it in lag if not it.paused})
        checked = await self.container.check()()
        show_results(report, checked)
        if result.taken_over:
            session().info(f"left to you, as moved on by hand: {counted(len(result.taken_over), 'order')}")
        notes = await self._leave(client)
        session().info("\n- ".join(notes) + "\nThe board stays until Ctrl-C.")
        unfinished = report.figures.unfinished > len(result.taken_over)
        return 0 if checked.clean and not unfinished else 1

    async def _leave(self, client: InProcessOrderClient) -> Sequence[str]:
        """Place the orders that are left, and park one. Returns notes about them."""
        end = int(self.watched.clock.second)
        left = left_orders(self.day, end)
        parked = f"{self.day.name}-{PARKED}"
        self.templates.fails_for.add(parked)
        currency = self.container.settings().currency
        with quiet(logging.CRITICAL):  # the failure is meant
            for each in left:
                await leave(each, client, day=self.day, clock=self.watched.clock, currency=currency)
            await caught_up(self.container, CATCH_UP_SECONDS)
        self.templates.fails_for.clear()
        notes = (
            f"The day is over. {len(left)} more orders were placed after the check, to look at and to move on:",
            "three that are late, which come first under Orders",
            "two that are not late",
            "one whose notifications were made to fail, which is parked under Operation: a redrive will succeed",
        )
        places = [Place(id=self.day.order_id(it.order), x=it.order.x, y=it.order.y) for it in left]
        self.watched.leave(places, notes)
        return notes


def _open(link: str) -> None:
    if not webbrowser.open(link):
        session().info("no browser could be opened here: open the address by hand")
