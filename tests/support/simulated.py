"""The events of a day that was run on a storage."""

from collections.abc import Mapping, Sequence

from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.day import Day
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened


async def bodies_after_a_day(
    database_url: str, day: Day, *, workers: int, prefix: str | None = None
) -> Mapping[str, Sequence[bytes]]:
    """Run ``day`` at its virtual time, and return the bodies of each order's events in sequence."""
    clock, bodies = VirtualClock(), dict[str, list[bytes]]()
    container = container_for(Settings(database_url=database_url, payment_gateway="sandbox"), clock=clock)
    async with opened(container):
        await RunDay(InProcessOrderClient(container.use_cases()), VirtualPace(clock), workers, prefix)(day)
        log = container.storage().log
        records = await log.read(dict.fromkeys(await log.heads(), 0), limit=1_000_000)
    for record in sorted(records, key=lambda each: each.sequence):
        bodies.setdefault(record.order_id, []).append(record.body)
    return bodies
