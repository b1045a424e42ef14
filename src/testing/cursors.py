"""The promises of every storage of cursors."""

import asyncio
from datetime import UTC, datetime
from typing import Any


class CursorsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_new_reader_has_no_cursors(self, storage: Any) -> None:
        assert await storage.cursors.positions("relay") == {}
        assert list(await storage.cursors.readers()) == []

    async def test_positions_are_kept_by_reader_and_bucket(self, storage: Any) -> None:
        await storage.cursors.put("relay", {0: 5, 255: 2**40})
        await storage.cursors.put("analytics", {0: 3})

        assert await storage.cursors.positions("relay") == {0: 5, 255: 2**40}
        assert await storage.cursors.positions("analytics") == {0: 3}
        assert list(await storage.cursors.readers()) == ["analytics", "relay"]

    async def test_a_cursor_moves_forward_without_others(self, storage: Any) -> None:
        await storage.cursors.put("relay", {1: 5, 2: 5})

        await storage.cursors.put("relay", {2: 6, 3: 1})

        assert await storage.cursors.positions("relay") == {1: 5, 2: 6, 3: 1}

    async def test_a_cursor_never_goes_back(self, storage: Any) -> None:
        await storage.cursors.put("relay", {1: 5, 2: 5})

        await storage.cursors.put("relay", {1: 4, 2: 6})

        assert await storage.cursors.positions("relay") == {1: 5, 2: 6}

    async def test_of_readers_that_begin_at_once_the_first_determines_where(self, storage: Any) -> None:
        await storage.cursors.begin("printer", {1: 5, 2: 0})
        await storage.cursors.put("printer", {2: 3})

        await storage.cursors.begin("printer", {1: 7, 2: 7, 3: 7})
        await asyncio.gather(*(storage.cursors.begin("other", dict.fromkeys(range(64), at)) for at in range(4)))

        assert await storage.cursors.positions("printer") == {1: 5, 2: 3, 3: 7}
        assert len(set((await storage.cursors.positions("other")).values())) == 1

    async def test_the_cursors_of_a_bucket_are_listed_with_their_times(self, storage: Any) -> None:
        before = datetime.now(UTC)
        await storage.cursors.put("relay", {1: 5, 2: 5})
        await storage.cursors.put("analytics", {1: 3})
        moved = [at.moved_at for at in await storage.cursors.at(1)]

        await storage.cursors.put("relay", {1: 4})

        found = await storage.cursors.at(1)
        assert [(at.reader, at.position) for at in found] == [("analytics", 3), ("relay", 5)]
        assert [at.moved_at for at in found] == moved
        assert all(before <= moment <= datetime.now(UTC) for moment in moved)
        assert list(await storage.cursors.at(3)) == []

    async def test_an_empty_put_creates_no_reader(self, storage: Any) -> None:
        await storage.cursors.put("relay", {})

        assert list(await storage.cursors.readers()) == []

    async def test_of_concurrent_puts_the_highest_position_wins(self, storage: Any) -> None:
        buckets = range(16)

        await asyncio.gather(
            *(
                storage.cursors.put("relay", {bucket: (7 * number + bucket) % 12 for bucket in order})
                for number in range(12)
                for order in (buckets, reversed(buckets))
            )
        )

        assert await storage.cursors.positions("relay") == dict.fromkeys(buckets, 11)

    async def test_a_cursor_before_the_first_event_is_kept(self, storage: Any) -> None:
        await storage.cursors.put("newcomer", {0: 0, 7: 0})

        assert dict(await storage.cursors.positions("newcomer")) == {0: 0, 7: 0}
        assert "newcomer" in await storage.cursors.readers()
