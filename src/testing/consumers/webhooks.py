"""The promises of webhooks, on every storage, to a real receiver on loopback."""

import asyncio

import pytest

from ...adapters.webhooks.http_client import HttpWebhookClient, Limits
from ...application.replay.replay_range import ReplayStart
from ...application.webhooks.record_deliveries import RecordDeliveries
from ...application.webhooks.send_deliveries import LEASE
from .webhook_installation import LIFE, NOTE, Installation, WebhookFixtures
from .webhook_receiver import Receiver


@pytest.mark.asyncio
class WebhooksContract(WebhookFixtures):
    """Subclassed with a fixture ``world``."""

    async def test_each_event_arrives_once_signed_and_in_sequence(self, here: Installation, receiver: Receiver) -> None:
        await here.add(receiver)
        await here.shop.live("o1")
        await here.shop.live("o2")

        sent = await here.deliver()

        assert sent == 14
        assert receiver.accepted() == {"o1": LIFE, "o2": LIFE}
        assert all(it.verified for it in receiver.received)
        assert len(set(receiver.ids)) == 14

    async def test_the_body_has_the_event_byte_for_byte_with_its_address(
        self, here: Installation, receiver: Receiver
    ) -> None:
        await here.add(receiver)
        await here.shop.order("o1")

        await here.deliver()

        [record] = await here.shop.storage.log.history("o1")
        [it] = receiver.received
        assert it.id == record.event_id
        assert it.body.endswith(b',"data":' + record.body + b"}")
        message = it.message
        assert (message["type"], message["sequence"]) == ("order.created", 1)
        assert (message["bucket"], message["position"]) == record.address
        assert message["timestamp"] == message["data"]["occurredAt"]

    async def test_a_new_endpoint_gets_what_happens_from_then_on(self, here: Installation, receiver: Receiver) -> None:
        await here.shop.order("o1")
        await here.add(receiver)
        await here.shop.assign("o1")

        await here.deliver()

        assert receiver.accepted() == {"o1": [2, 3]}

    async def test_a_second_endpoint_gets_nothing_from_before_it_although_the_consumer_is_late(
        self, here: Installation, receiver: Receiver, other: Receiver
    ) -> None:
        await here.add(receiver)
        await here.shop.order("o1")
        await here.add(other)
        await here.shop.assign("o1")

        await here.deliver()

        assert (receiver.accepted(), other.accepted()) == ({"o1": [1, 2, 3]}, {"o1": [2, 3]})

    async def test_an_endpoint_may_begin_in_the_past(self, here: Installation, receiver: Receiver) -> None:
        await here.shop.live("o1")
        await here.add(receiver, start=ReplayStart.parse("1"))

        await here.deliver()

        assert receiver.accepted() == {"o1": LIFE}

    async def test_an_endpoint_gets_the_types_and_restaurants_that_it_wants(
        self, here: Installation, receiver: Receiver, other: Receiver
    ) -> None:
        await here.add(receiver, types=["order.created", "order.delivered"])
        await here.add(other, restaurants=["R7"])
        await here.shop.live("o1", restaurant_id="R1")
        await here.shop.live("o2", restaurant_id="R7")

        await here.deliver()

        assert receiver.accepted() == {"o1": [1, 7], "o2": [1, 7]}
        assert other.accepted() == {"o2": LIFE}

    async def test_two_senders_send_nothing_twice_and_one_takes_over_after_the_other(
        self, here: Installation, receiver: Receiver
    ) -> None:
        await here.add(receiver)
        await here.shop.live("o1")
        await here.consume()
        owned = await here.webhooks.own("dead", now=here.world.clock(), until=here.world.clock() + LEASE)

        other = here.sender("other", client=HttpWebhookClient(Limits(private=True), "orderflow/test"))
        while_owned = await here.sender("alive").send_due()
        here.world.clock.forward(seconds=LEASE.total_seconds())
        afterwards = await asyncio.gather(here.sender("alive").send_due(), other.send_due())

        assert (len(owned), while_owned, sum(afterwards)) == (1, 0, 7)
        assert receiver.accepted() == {"o1": LIFE}

    async def test_events_that_the_consumer_is_given_again_are_not_sent_again(
        self, here: Installation, receiver: Receiver
    ) -> None:
        await here.add(receiver)
        await here.shop.live("o1")
        await here.deliver()

        replay = here.world.replaying(here.world.storage.log, RecordDeliveries(here.world.clock.of_storage))
        await replay(ReplayStart.parse("1"), **NOTE)

        assert await here.sender().send_due() == 0
