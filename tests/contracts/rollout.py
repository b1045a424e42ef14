"""What every place that keeps the rollout promises."""

import asyncio
from datetime import timedelta
from typing import Any

from orderflow.application.operator_note import OperatorNote
from orderflow.application.rollout.rollout import ChangeKind, RolloutChange, RolloutState

from tests.unit.domain.actors import AT

FIRST = OperatorNote(by="ann", reason="phase two", at=AT)
SECOND = OperatorNote(by="bob", reason="too slow; 50 % of the mails bounced", at=AT + timedelta(minutes=5))


class RolloutContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_all_is_published_and_nobody_stands_still_where_nothing_was_said(self, storage: Any) -> None:
        found = await storage.rollout.current_rollout()

        assert found == RolloutState(percent=100, paused={})
        assert await storage.rollout.history(limit=10) == []

    async def test_a_share_is_in_force_once_it_is_set(self, storage: Any) -> None:
        change = await storage.rollout.set_share(10, FIRST)

        assert change == RolloutChange(kind=ChangeKind.SHARE, note=FIRST, before=100, after=10)
        assert (await storage.rollout.current_rollout()).percent == 10

    async def test_none_at_all_is_a_share_like_any_other(self, storage: Any) -> None:
        await storage.rollout.set_share(0, FIRST)

        assert (await storage.rollout.current_rollout()).percent == 0

    async def test_the_share_that_is_there_already_is_no_change(self, storage: Any) -> None:
        await storage.rollout.set_share(10, FIRST)

        again = await storage.rollout.set_share(10, SECOND)

        assert again is None
        assert len(await storage.rollout.history(limit=10)) == 1

    async def test_a_consumer_that_is_paused_stands_still_and_no_other(self, storage: Any) -> None:
        change = await storage.rollout.pause("analytics", FIRST)

        assert change == RolloutChange(kind=ChangeKind.PAUSE, note=FIRST, consumer="analytics")
        assert dict((await storage.rollout.current_rollout()).paused) == {"analytics": FIRST}

    async def test_who_paused_a_consumer_first_is_remembered(self, storage: Any) -> None:
        await storage.rollout.pause("analytics", FIRST)

        again = await storage.rollout.pause("analytics", SECOND)

        assert again is None
        assert dict((await storage.rollout.current_rollout()).paused) == {"analytics": FIRST}

    async def test_a_consumer_that_is_resumed_goes_on_and_no_other(self, storage: Any) -> None:
        await storage.rollout.pause("analytics", FIRST)
        await storage.rollout.pause("inventory", FIRST)

        change = await storage.rollout.resume("analytics", SECOND)

        assert change == RolloutChange(kind=ChangeKind.RESUME, note=SECOND, consumer="analytics")
        assert dict((await storage.rollout.current_rollout()).paused) == {"inventory": FIRST}

    async def test_a_consumer_that_was_not_paused_cannot_be_resumed(self, storage: Any) -> None:
        again = await storage.rollout.resume("analytics", SECOND)

        assert again is None
        assert await storage.rollout.history(limit=10) == []

    async def test_the_history_tells_every_change_the_latest_first(self, storage: Any) -> None:
        made = [
            await storage.rollout.set_share(0, FIRST),
            await storage.rollout.pause("analytics", FIRST),
            await storage.rollout.set_share(50, SECOND),
            await storage.rollout.resume("analytics", SECOND),
        ]

        assert list(await storage.rollout.history(limit=10)) == made[::-1]
        assert list(await storage.rollout.history(limit=1)) == made[-1:]
        assert list(await storage.rollout.history(limit=1, kind=ChangeKind.SHARE)) == [made[2]]

    async def test_shares_that_are_set_at_once_each_follow_the_one_before(self, storage: Any) -> None:
        await asyncio.gather(*(storage.rollout.set_share(percent, FIRST) for percent in (0, 10, 20, 30, 40)))

        changes = [*await storage.rollout.history(limit=10)][::-1]
        assert [change.before for change in changes] == [100, *(change.after for change in changes[:-1])]
        assert (await storage.rollout.current_rollout()).percent == changes[-1].after
        assert len(changes) == 5

    async def test_of_several_who_pause_a_consumer_at_once_one_does(self, storage: Any) -> None:
        changes = await asyncio.gather(*(storage.rollout.pause("analytics", word) for word in (FIRST, SECOND) * 3))

        (made,) = [change for change in changes if change is not None]
        assert dict((await storage.rollout.current_rollout()).paused) == {"analytics": made.note}
        assert list(await storage.rollout.history(limit=10)) == [made]
