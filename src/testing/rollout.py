"""The promises of every storage of the rollout."""

import asyncio
from datetime import timedelta
from typing import Any

from ..application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..application.operator_note import OperatorNote
from ..application.rollout.rollout import RolloutState
from .orders import AT

FIRST = OperatorNote(by="ann", reason="phase two", at=AT)
SECOND = OperatorNote(by="bob", reason="too slow; 50 % of the mails bounced", at=AT + timedelta(minutes=5))


class RolloutContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_by_default_everything_is_published_and_no_consumer_is_paused(self, storage: Any) -> None:
        found = await storage.rollout.current_rollout()

        assert found == RolloutState(percent=100, paused={})

    async def test_a_share_is_in_force_once_it_is_set(self, storage: Any) -> None:
        change = await storage.rollout.set_share(10, FIRST)

        assert change == MaintenanceEntry(kind=MaintenanceKind.SHARE, note=FIRST, before=100, after=10)
        assert (await storage.rollout.current_rollout()).percent == 10

    async def test_setting_the_current_share_changes_nothing(self, storage: Any) -> None:
        await storage.rollout.set_share(10, FIRST)

        again = await storage.rollout.set_share(10, SECOND)

        assert again is None
        assert len(await storage.maintenance_log.history(limit=10)) == 1

    async def test_a_consumer_is_paused_without_others(self, storage: Any) -> None:
        change = await storage.rollout.pause("analytics", FIRST)

        assert change == MaintenanceEntry(kind=MaintenanceKind.PAUSE, note=FIRST, consumer="analytics")
        assert dict((await storage.rollout.current_rollout()).paused) == {"analytics": FIRST}

    async def test_pausing_a_paused_consumer_keeps_the_first_note(self, storage: Any) -> None:
        await storage.rollout.pause("analytics", FIRST)

        again = await storage.rollout.pause("analytics", SECOND)

        assert again is None
        assert dict((await storage.rollout.current_rollout()).paused) == {"analytics": FIRST}

    async def test_a_consumer_is_resumed_without_others(self, storage: Any) -> None:
        await storage.rollout.pause("analytics", FIRST)
        await storage.rollout.pause("inventory", FIRST)

        change = await storage.rollout.resume("analytics", SECOND)

        assert change == MaintenanceEntry(kind=MaintenanceKind.RESUME, note=SECOND, consumer="analytics")
        assert dict((await storage.rollout.current_rollout()).paused) == {"inventory": FIRST}

    async def test_resuming_a_consumer_that_is_not_paused_changes_nothing(self, storage: Any) -> None:
        again = await storage.rollout.resume("analytics", SECOND)

        assert again is None
        assert list(await storage.maintenance_log.history(limit=10)) == []

    async def test_concurrent_shares_each_follow_the_one_before(self, storage: Any) -> None:
        await asyncio.gather(*(storage.rollout.set_share(percent, FIRST) for percent in (0, 10, 20, 30, 40)))

        changes = [*await storage.maintenance_log.history(limit=10)][::-1]
        assert [change.before for change in changes] == [100, *(change.after for change in changes[:-1])]
        assert (await storage.rollout.current_rollout()).percent == changes[-1].after
        assert len(changes) == 5

    async def test_of_several_concurrent_pauses_one_succeeds(self, storage: Any) -> None:
        changes = await asyncio.gather(*(storage.rollout.pause("analytics", note) for note in (FIRST, SECOND) * 3))

        (made,) = [change for change in changes if change is not None]
        assert dict((await storage.rollout.current_rollout()).paused) == {"analytics": made.note}
        assert list(await storage.maintenance_log.history(limit=10)) == [made]
