"""The promises of reading orders for the check."""

from typing import Any

from .orders import placed


class OrderAuditContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_of_the_orders_asked_for_those_that_are_there_come_back_whole(self, storage: Any) -> None:
        first = await placed(storage, "O1")
        await placed(storage, "O2")
        third = await placed(storage, "O3")

        found = await storage.audit.many(["O1", "O3", "O9"])

        assert found == {"O1": first, "O3": third}

    async def test_asking_for_none_finds_none(self, storage: Any) -> None:
        await placed(storage)

        assert await storage.audit.many([]) == {}

    async def test_all_orders_are_counted(self, storage: Any) -> None:
        before = await storage.audit.count()
        await placed(storage, "O1")
        await placed(storage, "O2")

        assert (before, await storage.audit.count()) == (0, 2)
