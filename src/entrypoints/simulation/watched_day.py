"""A simulated day that people watch on the board."""

import asyncio
from collections.abc import Sequence

from attrs import define, evolve, field, frozen

from ...application.orders.create_order import NewOrder
from ...domain.lifecycle import OrderState
from .courier_ways import Geography, Place
from .dispatch_plan import Step
from .paced_clock import PacedClock
from .run_day import OrderClient


@define(eq=False, kw_only=True)
class WatchedDay:
    """A day as the board shows it, beyond its orders: the places, the clock, and how far the day has come.

    ``seen`` is set as soon as a person looks. ``left`` says what there is to do when the day is over.
    """

    name: str
    geography: Geography
    clock: PacedClock
    steps: int = 0
    planned: int = 0
    is_over: bool = False
    left: tuple[str, ...] = ()
    seen: asyncio.Event = field(factory=asyncio.Event)

    def progress(self, done: int, of: int) -> None:
        """Note how many of the day's steps have been executed."""
        self.steps, self.planned = done, of

    def end(self) -> None:
        """Note that all steps have been executed. From then on the clock runs as any other."""
        self.is_over = True
        self.clock.change(speed=1, paused=False)

    def leave(self, orders: Sequence[Place], notes: Sequence[str]) -> None:
        """Add orders that are left after the day, and notes about them."""
        self.geography = evolve(self.geography, orders=(*self.geography.orders, *orders))
        self.left = tuple(notes)


@frozen
class PacedOrderClient:
    """Executes steps as ``client`` does, and tells the clock, which has begun them, when they are done."""

    client: OrderClient
    clock: PacedClock

    async def execute(self, step: Step, order: NewOrder) -> OrderState:
        try:
            return await self.client.execute(step, order)
        finally:
            self.clock.step_done()
