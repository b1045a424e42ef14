"""The promises of every storage of the log's epochs."""

import asyncio
from typing import Any

from ..application.event_log.records import bucket_of
from ..application.operator_note import OperatorNote
from ..application.recovery.epochs import BEGINNING, Epoch, Epochs
from .orders import AT, failed_payments, placed

WORD = OperatorNote(by="ann", reason="restored to noon; 50 % was lost", at=AT)
SECOND = Epoch(epoch=2, note=WORD, kept={3: 70, 255: 0})
THIRD = Epoch(epoch=3, note=WORD, kept={})


class EpochsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_new_log_is_in_its_first_epoch(self, storage: Any) -> None:
        found = await storage.epochs.all()

        assert (found, found.now) == (BEGINNING, 1)

    async def test_epochs_are_read_back_as_they_were_begun(self, storage: Any) -> None:
        begun = [await storage.epochs.begin(each) for each in (SECOND, THIRD)]

        assert begun == [True, True]
        assert await storage.epochs.all() == Epochs((SECOND, THIRD))

    async def test_an_epoch_may_leave_out_numbers_that_another_log_has_used(self, storage: Any) -> None:
        later = Epoch(epoch=7, note=WORD, kept={3: 70})

        assert await storage.epochs.begin(later)
        assert (await storage.epochs.all()).now == 7

    async def test_an_epoch_that_is_not_newer_is_not_begun(self, storage: Any) -> None:
        await storage.epochs.begin(SECOND)

        assert not await storage.epochs.begin(Epoch(epoch=2, note=WORD, kept={4: 1}))
        assert not await storage.epochs.begin(Epoch(epoch=1, note=WORD, kept={}))
        assert await storage.epochs.all() == Epochs((SECOND,))

    async def test_of_concurrent_beginnings_of_one_epoch_one_succeeds(self, storage: Any) -> None:
        outcomes = await asyncio.gather(*(storage.epochs.begin(SECOND) for _ in range(5)))

        assert sorted(outcomes) == [False, False, False, False, True]

    async def test_the_relays_cursors_are_set_back_and_no_others(self, storage: Any) -> None:
        await storage.cursors.put("relay", {3: 90, 4: 90, 255: 2})
        await storage.cursors.put("analytics", {3: 90})

        await storage.epochs.begin(Epoch(epoch=2, note=WORD, kept={3: 70, 4: 95, 255: 0, 7: 4}))

        assert await storage.cursors.positions("relay") == {3: 70, 4: 90, 255: 0}
        assert await storage.cursors.positions("analytics") == {3: 90}

    async def test_bodies_are_those_of_the_addresses_that_the_log_has(self, storage: Any) -> None:
        await placed(storage, "O1")
        await failed_payments(storage, "O1", 3)
        await placed(storage, "O2")
        one, other = bucket_of("O1"), bucket_of("O2")
        history = await storage.log.history("O1")

        found = await storage.log.bodies([(one, 4), (one, 1), (one, 5), (one, 0), (other, 1), (other, 2)])

        assert set(found) == {(one, 4), (one, 1), (other, 1)}
        assert (bytes(found[one, 1]), bytes(found[one, 4])) == (history[0].body, history[3].body)
        assert await storage.log.bodies([]) == {}
