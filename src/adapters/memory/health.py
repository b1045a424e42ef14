"""Facts about the storage in memory."""

from attrs import frozen

from ...application.health.facts import ClockOffset, DatabaseFacts


@frozen
class MemoryHealth:
    async def facts(self) -> DatabaseFacts:
        return DatabaseFacts(
            kind="memory", version="", took=0.0, schema=None, migrations=(), clock=ClockOffset(0.0, 0.0)
        )
