"""The promises of every transaction of a consumer."""

import pytest

from ...application.notifications.notification import Parties
from ...domain.errors import StaleCursor
from .inventory import reservation
from .world import World


@pytest.mark.asyncio
class ConsumerTransactionContract:
    """Subclassed with a fixture ``world``."""

    async def test_effects_and_cursors_commit_together(self, world: World) -> None:
        parties = Parties(order_id="o1", customer_id="C1", restaurant_id="R1")

        async with world.effects.store("notifications") as work:
            await work.advance({7: (0, 3)})
            await work.notifications.keep_parties([parties])

        assert await world.storage.cursors.positions("notifications") == {7: 3}
        async with world.effects.store("notifications") as work:
            assert await work.notifications.parties(["o1", "o2"]) == {"o1": parties}

    async def test_a_failure_inside_leaves_neither_effects_nor_cursors(self, world: World) -> None:
        async def fail() -> None:
            async with world.effects.store("notifications") as work:
                await work.advance({7: (0, 3)})
                await work.notifications.keep_parties([Parties(order_id="o1", customer_id="C", restaurant_id="R")])
                await work.notifications.record([world.notification()])
                await work.reservations.keep([reservation("o1")])
                await work.dead_letters.keep([await world.dead_letter("o1")])
                raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            await fail()

        assert await world.storage.cursors.positions("notifications") == {}
        assert await world.effects.notifications.of_orders(["o1"]) == []
        assert await world.effects.shortages.of_orders(["o1"]) == {}
        assert await world.effects.dead_letters.blocking() == []
        async with world.effects.store("notifications") as work:
            assert await work.notifications.parties(["o1"]) == {}

    async def test_a_cursor_that_another_transaction_moved_is_not_moved_again(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.advance({1: (0, 5), 2: (0, 1)})

        with pytest.raises(StaleCursor) as refused:
            async with world.effects.store("analytics") as work:
                await work.advance({2: (1, 2), 1: (0, 5)})

        assert (refused.value.bucket, refused.value.expected) == (1, 0)
        assert await world.storage.cursors.positions("analytics") == {1: 5, 2: 1}

    async def test_a_cursor_cannot_be_moved_from_where_it_never_was(self, world: World) -> None:
        with pytest.raises(StaleCursor):
            async with world.effects.store("analytics") as work:
                await work.advance({1: (3, 4)})

        assert (await world.storage.cursors.positions("analytics")).get(1, 0) == 0

    async def test_consumers_have_cursors_of_their_own(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.advance({1: (0, 5)})

        async with world.effects.store("inventory") as work:
            await work.advance({1: (0, 2)})

        assert await world.storage.cursors.positions("analytics") == {1: 5}
        assert await world.storage.cursors.positions("inventory") == {1: 2}
