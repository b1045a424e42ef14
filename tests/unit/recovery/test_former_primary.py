"""A relay or consumer whose session leads to a former primary waits: what the log lacks there proves nothing."""

from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import pytest
from orderflow.adapters.memory import MemoryConsumerStores
from orderflow.application.event_log.records import Address
from orderflow.application.recovery.restore_guard import MissedEvents, RestoreGuard
from orderflow.domain.errors import StorageUnavailable
from orderflow.testing.consumers.world import World

from tests.unit.recovery.histories import LATER, RestoredShop, begun, published


class FormerPrimary:
    """A log on a server that has become read-only."""

    def __init__(self, log: object) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def bodies(self, addresses: Collection[Address]) -> NoReturn:
        assert addresses
        raise StorageUnavailable("postgresql", "the server is read-only")


@pytest.fixture(params=["the log is shorter", "the log lacks an epoch"])
async def restored(request: pytest.FixtureRequest) -> RestoredShop:
    restored = await RestoredShop.made()
    if request.param == "the log lacks an epoch":
        await restored.lost.storage.epochs.begin(begun(2, {}))
        await restored.lost.order(LATER[0])
        await published(restored.lost, restored.topic)
    return restored


async def test_a_relay_waits(restored: RestoredShop) -> None:
    relay = restored.relay()
    relay.log = FormerPrimary(restored.shop.storage.log)  # type: ignore[assignment]

    with pytest.raises(StorageUnavailable, match="read-only"):
        await relay()


async def test_a_consumer_waits(restored: RestoredShop) -> None:
    storage = restored.shop.storage
    guard = RestoreGuard(FormerPrimary(storage.log), storage.epochs)  # type: ignore[arg-type]
    world = World(storage, MemoryConsumerStores(storage.cursors), restored.shop.clock)

    with pytest.raises(StorageUnavailable, match="read-only"):
        await world.handling(restore_guard=guard)(restored.topic.records)


async def test_a_consumer_that_looks_for_missed_events_waits(restored: RestoredShop) -> None:
    storage = restored.shop.storage
    log: Any = FormerPrimary(storage.log)

    async def heard_out() -> Sequence[int]:
        return (0,)

    with pytest.raises(StorageUnavailable, match="read-only"):
        await MissedEvents("analytics", restored.topic, log, storage.epochs, storage.cursors, heard_out)()
