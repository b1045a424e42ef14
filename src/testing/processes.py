"""The promises of every registry of processes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ..application.health.processes import Failure, Part, Process
from .orders import AT


def process(id: str = "p1", *, minutes: int = 0, **changes: Any) -> Process:
    """Return a relay that was started ``minutes`` after noon."""
    registered = {
        "id": id,
        "version": "0.1.0",
        "host": "kitchen-1",
        "pid": 4711,
        "started_at": AT + timedelta(minutes=minutes),
        "parts": (Part("relay", partitions=(0, 2)),),
        **changes,
    }
    return Process(**registered)


def now() -> datetime:
    return datetime.now(UTC)


class ProcessRegistryContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_the_registry_is_empty_at_first(self, storage: Any) -> None:
        assert list(await storage.processes.all()) == []

    async def test_a_process_is_registered_with_all_its_attributes(self, storage: Any) -> None:
        failure = Failure(part="relay", code="stream_unavailable", message="Kafka does not answer", at=AT)
        registered = process(
            parts=(
                Part("api", url="http://127.0.0.1:8080"),
                Part("relay", partitions=()),
                Part("inventory", stopped="KeyError"),
            ),
            failures=3,
            failure=failure,
        )

        await storage.processes.heartbeat(registered, now())

        assert [seen.process for seen in await storage.processes.all()] == [registered]

    async def test_another_heartbeat_replaces_the_registration(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(failure=Failure(part="api", code="x", message="", at=AT)), now())
        later = process(parts=(Part("relay", partitions=(1,)),), failures=1)

        await storage.processes.heartbeat(later, now())

        assert [seen.process for seen in await storage.processes.all()] == [later]

    async def test_the_oldest_process_is_listed_first(self, storage: Any) -> None:
        for registered in (process("b", minutes=2), process("a", minutes=3), process("c", minutes=1)):
            await storage.processes.heartbeat(registered, now())

        assert [seen.process.id for seen in await storage.processes.all()] == ["c", "b", "a"]

    async def test_a_deregistered_process_is_not_listed(self, storage: Any) -> None:
        for name in ("p1", "p2"):
            await storage.processes.heartbeat(process(name), now())

        await storage.processes.deregister("p1")
        await storage.processes.deregister("never-there")

        assert [seen.process.id for seen in await storage.processes.all()] == ["p2"]

    async def test_silence_is_measured_from_the_last_heartbeat(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(), now())
        first = (await storage.processes.all())[0]

        later = (await storage.processes.all())[0]

        assert 0 <= first.silent <= later.silent < 30
        assert first.last_seen_at == later.last_seen_at

    async def test_a_clock_that_is_ahead_is_detected(self, storage: Any) -> None:
        await storage.processes.heartbeat(process("right"), now())
        await storage.processes.heartbeat(process("ahead", minutes=1), now() + timedelta(minutes=5))

        right, ahead = await storage.processes.all()

        assert abs(right.clock_ahead) < 30
        assert 270 < ahead.clock_ahead < 330
        assert ahead.silent < 30

    async def test_only_processes_that_were_silent_for_long_are_pruned(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(), now())

        kept = await storage.processes.prune(silent_for=3600)
        forgotten = await storage.processes.prune(silent_for=0)

        assert (kept, forgotten) == (0, 1)
        assert list(await storage.processes.all()) == []
