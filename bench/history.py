"""A day's events, as a log has them: what relay and consumers are measured with."""

from collections.abc import Sequence

from orderflow.adapters.memory import MemoryStorage
from orderflow.application.event_log.records import LogRecord
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened

SEED = 1


async def lived(orders: int) -> MemoryStorage:
    """A storage in which a day of so many orders was lived: about seven events each."""
    clock = VirtualClock()
    container = container_for(Settings(database_url="memory://"), clock=clock)
    async with opened(container):
        await RunDay(InProcessOrderClient(container.use_cases()), VirtualPace(clock))(generate_day(orders, SEED))
        storage = container.storage()
        assert isinstance(storage, MemoryStorage)
        return storage


async def records(storage: MemoryStorage) -> Sequence[LogRecord]:
    """All that is in the log, in the order in which it came about; each bucket's in the order of its positions."""
    found = await storage.log.read(dict.fromkeys(await storage.log.heads(), 0), limit=10_000_000)
    return sorted(found, key=lambda record: record.occurred_at)
