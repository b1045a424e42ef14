"""The cached rollout is read often, and looked up seldom."""

import asyncio

import pytest
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.operator_note import OperatorNote
from orderflow.application.rollout.cached_rollout import CachedRollout
from orderflow.application.rollout.rollout import Rollout, RolloutState
from orderflow.domain.errors import StorageUnavailable
from pytest_mock import MockerFixture

from tests.unit.domain.actors import AT

WORD = OperatorNote(by="ann", reason="phase two", at=AT)


class Seconds:
    """A clock that goes by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def current_rollout(rollout: Rollout, clock: Seconds) -> CachedRollout:
    return CachedRollout(rollout, lambda: 256, every=0.4, clock=clock)


async def test_many_looks_at_once_are_one_question(mocker: MockerFixture) -> None:
    rollout = mocker.create_autospec(Rollout, instance=True, spec_set=True)
    rollout.current_rollout.return_value = RolloutState(10, {"analytics": WORD})
    known = current_rollout(rollout, Seconds())

    shares = await asyncio.gather(*(known.published_buckets() for _ in range(50)))

    assert set(shares) == {26}
    assert (await known.pauses("analytics"), await known.pauses("inventory")) == (True, False)
    assert rollout.current_rollout.await_count == 1


async def test_a_change_is_seen_within_a_second() -> None:
    storage, clock = MemoryStorage(), Seconds()
    known = current_rollout(storage.rollout, clock)
    await known()
    await storage.rollout.set_share(0, WORD)

    clock.now += 0.5

    assert await known.published_buckets() == 0


async def test_a_storage_that_does_not_answer_is_asked_again_at_once(mocker: MockerFixture) -> None:
    rollout = mocker.create_autospec(Rollout, instance=True, spec_set=True)
    rollout.current_rollout.side_effect = [StorageUnavailable("database", "away"), RolloutState(50)]
    known = current_rollout(rollout, Seconds())

    with pytest.raises(StorageUnavailable):
        await known()

    assert await known.published_buckets() == 128
