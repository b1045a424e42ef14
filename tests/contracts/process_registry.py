"""What every place where processes note themselves promises."""

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve
from orderflow.application.health.processes import Failure, Part, Process

from tests.unit.domain.actors import AT


def process(id: str = "p1", *, minutes: int = 0, **changes: Any) -> Process:
    """A relay that was started ``minutes`` after noon."""
    said = {
        "id": id,
        "version": "0.1.0",
        "host": "kitchen-1",
        "pid": 4711,
        "started_at": AT + timedelta(minutes=minutes),
        "parts": (Part("relay", partitions=(0, 2)),),
        **changes,
    }
    return Process(**said)


def now() -> datetime:
    return datetime.now(UTC)


class ProcessRegistryContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_nobody_is_known_at_first(self, storage: Any) -> None:
        assert list(await storage.processes.seen()) == []

    async def test_a_process_is_known_with_all_that_it_says_of_itself(self, storage: Any) -> None:
        failure = Failure(part="relay", code="stream_unavailable", message="Kafka does not answer", at=AT)
        said = process(
            parts=(Part("api", url="http://127.0.0.1:8080"), Part("relay", partitions=()), Part("inventory")),
            failures=3,
            failure=failure,
        )

        await storage.processes.heartbeat(said, now())

        assert [seen.process for seen in await storage.processes.seen()] == [said]

    async def test_who_beats_again_is_known_once_and_as_it_is_now(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(), now())
        later = process(parts=(Part("relay", partitions=(1,)),), failures=1)

        await storage.processes.heartbeat(later, now())

        assert [seen.process for seen in await storage.processes.seen()] == [later]

    async def test_the_oldest_is_told_first(self, storage: Any) -> None:
        for said in (process("b", minutes=2), process("a", minutes=3), process("c", minutes=1)):
            await storage.processes.heartbeat(said, now())

        assert [seen.process.id for seen in await storage.processes.seen()] == ["c", "b", "a"]

    async def test_of_who_leaves_nothing_is_told_any_more(self, storage: Any) -> None:
        for name in ("p1", "p2"):
            await storage.processes.heartbeat(process(name), now())

        await storage.processes.leave("p1")
        await storage.processes.leave("never-there")

        assert [seen.process.id for seen in await storage.processes.seen()] == ["p2"]

    async def test_silence_is_counted_from_the_last_beat(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(), now())
        first = (await storage.processes.seen())[0]

        later = (await storage.processes.seen())[0]

        assert 0 <= first.silent <= later.silent < 30
        assert first.last_seen_at == later.last_seen_at

    async def test_a_clock_that_is_ahead_is_seen(self, storage: Any) -> None:
        await storage.processes.heartbeat(process("right"), now())
        await storage.processes.heartbeat(process("ahead", minutes=1), now() + timedelta(minutes=5))

        right, ahead = await storage.processes.seen()

        assert abs(right.clock_ahead) < 30
        assert 270 < ahead.clock_ahead < 330
        assert ahead.silent < 30

    async def test_who_was_silent_for_long_is_forgotten_and_no_one_else(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(), now())

        kept = await storage.processes.forget(silent_for=3600)
        forgotten = await storage.processes.forget(silent_for=0)

        assert (kept, forgotten) == (0, 1)
        assert list(await storage.processes.seen()) == []

    async def test_a_process_without_failure_says_so(self, storage: Any) -> None:
        await storage.processes.heartbeat(process(failure=Failure(part="api", code="x", message="", at=AT)), now())

        await storage.processes.heartbeat(evolve(process(), failure=None), now())

        assert (await storage.processes.seen())[0].process.failure is None
