"""The promises of operators' commands for webhook endpoints, on every storage, to a real receiver on loopback."""

from datetime import timedelta

import pytest

from ...application.replay.replay_range import ReplayStart
from ...application.webhooks.endpoint import FAILING_AFTER
from ...application.webhooks.send_deliveries import LEASE
from ...domain.errors import InvalidInput, NotFound
from ...domain.lifecycle import OrderState
from .webhook_installation import LIFE, NOTE, Installation, WebhookFixtures
from .webhook_receiver import Receiver, accept, refuse, webhook_use_cases
from .world import World


@pytest.mark.asyncio
class WebhookEndpointsContract(WebhookFixtures):
    """Subclassed with a fixture ``world``."""

    async def test_a_rotated_secret_leaves_two_valid(self, here: Installation, receiver: Receiver) -> None:
        endpoint = await here.add(receiver)
        first = receiver.secret
        _, second, _ = await here.change.rotate(endpoint.id, hours=1, **NOTE)
        await here.shop.live("o1")
        await here.deliver()
        by_the_first = [it.verified for it in receiver.received]
        receiver.secret = second
        await here.shop.live("o2")
        await here.deliver()
        by_the_second = [it.verified for it in receiver.received[7:]]
        here.world.clock.forward(hours=1)
        receiver.secret = first
        await here.shop.live("o3")
        await here.deliver()
        too_late = [it.verified for it in receiver.received[14:]]

        assert (by_the_first, by_the_second, too_late) == ([True] * 7, [True] * 7, [False] * 7)
        _, third, _ = await here.change.rotate(endpoint.id, hours=1, **NOTE)
        _, fourth, _ = await here.change.rotate(endpoint.id, hours=1, **NOTE)
        assert (await here.webhooks.secrets([endpoint.id], here.world.clock()))[endpoint.id] == [fourth, third]

    async def test_a_disabled_endpoint_gets_what_it_missed_when_it_is_enabled(
        self, here: Installation, receiver: Receiver
    ) -> None:
        endpoint = await here.add(receiver)
        await here.shop.live("o0")
        await here.deliver()
        await here.shop.order("o1")
        await here.consume()
        await here.change.disable(endpoint.id, **NOTE)
        await here.shop.assign("o1")
        nothing = await here.deliver()

        await here.change.enable(endpoint.id, **NOTE)
        await here.shop.move("o1", OrderState.ON_THE_WAY)
        await here.deliver()

        assert nothing == 0
        assert receiver.accepted() == {"o0": LIFE, "o1": [1, 2, 3, 4]}

    async def test_a_replay_sends_everything_from_there_on_again_in_sequence(
        self, here: Installation, receiver: Receiver
    ) -> None:
        endpoint = await here.add(receiver)
        await here.shop.live("o1")
        since = here.world.clock() + timedelta(milliseconds=500)
        await here.shop.live("o2")
        await here.deliver()
        first = receiver.ids[:]

        await here.change.replay(endpoint.id, ReplayStart(since=since), **NOTE)
        await here.shop.live("o3")
        await here.deliver()
        by_time = receiver.received[14:]
        receiver.received.clear()
        await here.change.replay(endpoint.id, ReplayStart.parse("1"), **NOTE)
        await here.deliver()

        assert {it.order_id for it in by_time} == {"o2", "o3"}
        assert len(by_time) == 14
        assert {it.id for it in by_time if it.order_id == "o2"} < set(first)
        assert receiver.accepted() == {"o1": LIFE, "o2": LIFE, "o3": LIFE}

    async def test_a_replay_while_events_are_pending_keeps_the_sequence(
        self, here: Installation, receiver: Receiver
    ) -> None:
        endpoint = await here.add(receiver)
        await here.shop.order("o1")
        await here.deliver()
        await here.shop.assign("o1")
        await here.consume()

        await here.change.replay(endpoint.id, ReplayStart.parse("1"), **NOTE)
        receiver.received.clear()
        before_the_first = await here.sender().send_due()
        await here.deliver()

        assert (before_the_first, receiver.accepted()) == (0, {"o1": [1, 2, 3]})

    async def test_deliveries_are_sent_again_with_the_same_ids(self, here: Installation, receiver: Receiver) -> None:
        endpoint = await here.add(receiver)
        await here.shop.live("o1")
        await here.deliver()
        ids = receiver.ids[:]
        resend = webhook_use_cases(here.world.storage, here.world.effects, here.world.clock)[2]

        one = await resend(endpoint.id, "o1", sequence=3, **NOTE)
        await here.sender().send_due()
        here.world.clock.forward(days=8)
        deleted = await here.webhooks.delete_before(here.world.clock())
        everything = await resend(endpoint.id, "o1", **NOTE)
        await here.sender().send_due()

        assert ([it.sequence for it in one], deleted, len(everything)) == ([3], 7, 7)
        assert receiver.ids == [*ids, ids[2], *ids]
        with pytest.raises(NotFound):
            await resend(endpoint.id, "o9", **NOTE)
        with pytest.raises(NotFound):
            await resend("nobody", "o1", **NOTE)
        await here.change.disable(endpoint.id, **NOTE)
        with pytest.raises(InvalidInput, match="it is disabled"):
            await resend(endpoint.id, "o1", **NOTE)

    async def test_a_dead_endpoint_keeps_a_bounded_number_of_deliveries_and_gets_all(self, world: World) -> None:
        here = Installation(world, most=40)
        async with Receiver() as receiver:
            await receiver.stop()
            endpoint = await here.add(receiver)
            most = 0
            for number in range(15):
                await here.shop.live(f"o{number}")
                await here.consume()
                most = max(most, await here.webhooks.unsettled(endpoint.id, at_most=1_000))
            behind = await here.webhooks.get(endpoint.id)
            await receiver.start()
            for _ in range(10):
                await here.sender().send_due()
                await here.follow()
            await here.shop.live("o99")
            await here.deliver()

            assert most <= 40 + 20
            assert behind.behind is not None
            assert receiver.accepted() == {f"o{number}": LIFE for number in [*range(15), 99]}
            assert len(receiver.received) == 16 * 7
            assert (await here.webhooks.get(endpoint.id)).behind is None
        await here.close()

    async def test_a_clock_that_was_a_year_ahead_holds_up_no_endpoint(
        self, here: Installation, receiver: Receiver
    ) -> None:
        endpoint = await here.add(receiver)
        for number in range(FAILING_AFTER):
            await here.shop.order(f"o{number}")
        await here.consume()
        receiver.answer = refuse("503 Away")
        here.world.clock.forward(days=365)
        failed = await here.sender("before").send_due()
        await here.webhooks.own("killed", now=here.world.clock(), until=here.world.clock() + LEASE)
        put_off = await here.webhooks.get(endpoint.id)

        here.world.clock.forward(days=-365)
        await here.sender("after").send_due()
        still = await here.webhooks.get(endpoint.id)
        receiver.received.clear()
        receiver.answer = accept
        for _ in range(FAILING_AFTER):
            here.world.clock.forward(minutes=10)
            await here.sender("after").send_due()

        assert (failed, put_off.failures) == (FAILING_AFTER, FAILING_AFTER)
        assert still.failures == FAILING_AFTER + 1
        assert still.failing_since is not None
        assert still.failing_since < here.world.clock()
        assert receiver.accepted() == {f"o{number}": [1] for number in range(FAILING_AFTER)}

    async def test_no_more_are_due_than_are_wanted_when_a_wrong_clock_has_put_some_off(
        self, here: Installation, receiver: Receiver
    ) -> None:
        endpoint = await here.add(receiver)
        await here.shop.order("late")
        await here.consume()
        receiver.answer = refuse("503 Away")
        here.world.clock.forward(days=365)
        await here.sender("before").send_due()
        here.world.clock.forward(days=-365)
        await here.shop.order("now")
        await here.consume()

        found = {many: await here.webhooks.due({endpoint.id: many}, here.world.clock()) for many in (1, 9)}

        assert {many: [it.order_id for it in due] for many, due in found.items()} == {1: ["now"], 9: ["now", "late"]}

    async def test_a_removed_endpoint_gets_nothing_more(self, here: Installation, receiver: Receiver) -> None:
        endpoint = await here.add(receiver)
        await here.shop.live("o1")
        await here.consume()

        await here.change.remove(endpoint.id, **NOTE)
        await here.shop.live("o2")
        await here.consume()

        assert await here.sender().send_due() == 0
        assert await here.webhooks.endpoints() == []
        with pytest.raises(NotFound):
            await here.webhooks.get(endpoint.id)
        with pytest.raises(NotFound):
            await here.change.enable(endpoint.id, **NOTE)

    async def test_each_change_of_an_operator_is_in_the_maintenance_log(
        self, here: Installation, receiver: Receiver
    ) -> None:
        endpoint = await here.add(receiver)
        for change in (here.change.disable, here.change.enable, here.change.remove):
            await change(endpoint.id, **NOTE)

        entries = await here.world.storage.maintenance_log.history(limit=10)

        assert {entry.detail for entry in entries} == {
            f"{done} endpoint {endpoint.id}" for done in ("disabled", "enabled", "removed")
        }
        assert not any("whsec" in str(entry) for entry in entries)
