"""The promises of webhooks whose receivers refuse, hang or are away, on every storage."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import define

from ...application.webhooks.delivery import DeliveryStatus, WebhookMessage, WebhookResponse
from ...application.webhooks.endpoint import Endpoint, EndpointStatus
from ...domain.errors import StorageUnavailable
from ...domain.lifecycle import OrderState
from ..waiting import eventually_async
from .webhook_installation import LIFE, NOTE, Installation, WebhookFixtures, is_settled
from .webhook_receiver import Answer, Exchange, ReceivedRequest, Receiver, accept, hang, refuse


@pytest.mark.asyncio
class WebhookRetriesContract(WebhookFixtures):
    """Subclassed with a fixture ``world``."""

    async def test_a_failing_event_holds_back_its_order_at_that_endpoint_only(
        self, here: Installation, receiver: Receiver, other: Receiver
    ) -> None:
        receiver.answer = _refuse_some("400 Bad Request", lambda it: (it.order_id, it.sequence) == ("o1", 2))
        await here.add(receiver)
        await here.add(other)
        await here.shop.live("o1")
        await here.shop.live("o2")

        await here.deliver()
        held = receiver.accepted()
        receiver.answer = accept
        here.world.clock.forward(seconds=5)
        await here.sender().send_due()

        assert held == {"o1": [1, 2], "o2": LIFE}
        assert other.accepted() == {"o1": LIFE, "o2": LIFE}
        assert receiver.accepted() == {"o1": [1, 2, *LIFE[1:]], "o2": LIFE}
        assert [it.id for it in receiver.received if it.sequence == 2 and it.order_id == "o1"] == 2 * [
            next(it.id for it in receiver.received if it.sequence == 2 and it.order_id == "o1")
        ]

    async def test_events_that_come_while_one_fails_wait_behind_it(
        self, here: Installation, receiver: Receiver
    ) -> None:
        receiver.answer = refuse("500 Oops")
        await here.add(receiver)
        await here.shop.order("o1")
        await here.deliver()

        await here.shop.assign("o1")
        await here.consume()
        receiver.received.clear()
        too_early = await here.sender().send_due()
        receiver.answer = accept
        here.world.clock.forward(seconds=5)
        await here.sender().send_due()

        assert too_early == 0
        assert receiver.accepted() == {"o1": [1, 2, 3]}

    async def test_pauses_between_attempts_grow_from_seconds_to_an_hour(
        self, here: Installation, receiver: Receiver
    ) -> None:
        receiver.answer = _refuse_some("422 No", lambda it: it.order_id == "o1")
        endpoint = await here.add(receiver)
        await here.shop.order("o1")
        pauses = []
        for number in range(12):
            await here.shop.order(f"good-{number}")  # the endpoint itself is not failing
            await here.deliver()
            [failing] = await here.webhooks.list(endpoint.id, order_id="o1", limit=10)
            pauses.append(round((failing.due_at - here.world.clock()).total_seconds()))
            here.world.clock.now = failing.due_at

        assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
        assert (failing.attempts, failing.code, failing.detail) == (12, 422, "422")

    async def test_an_event_that_is_refused_for_days_has_failed_and_its_order_goes_on(
        self, here: Installation, receiver: Receiver
    ) -> None:
        receiver.answer = _refuse_some("422 No", lambda it: (it.order_id, it.sequence) == ("o1", 1))
        endpoint = await here.add(receiver)
        await here.shop.live("o1")
        for number in range(10):
            await here.shop.order(f"good-{number}")
            await here.deliver()
            here.world.clock.forward(hours=8)

        [failed] = await here.webhooks.list(endpoint.id, status=DeliveryStatus.FAILED, limit=10)
        assert (failed.order_id, failed.sequence, failed.code) == ("o1", 1, 422)
        assert [it for it in receiver.accepted()["o1"] if it != 1] == LIFE[1:]
        assert (await here.webhooks.summary()).backlog.failed == 1

    async def test_a_receiver_that_was_down_for_an_hour_gets_everything_once_in_order(
        self, here: Installation, receiver: Receiver
    ) -> None:
        await here.add(receiver)
        await here.shop.live("before")
        await here.deliver()
        await receiver.stop()
        for number in range(15):
            await here.shop.order(f"o{number}")
            if number >= 5:
                await here.shop.assign(f"o{number - 5}")
                await here.shop.move(f"o{number - 5}", OrderState.ON_THE_WAY)
            await here.deliver()
            here.world.clock.forward(minutes=4)

        await receiver.start()
        for _ in range(6):
            here.world.clock.forward(minutes=1)
            await here.sender().send_due()

        records = [it for number in range(15) for it in await here.shop.storage.log.history(f"o{number}")]
        got = receiver.received[7:]
        assert sorted(it.id for it in got) == sorted(it.event_id for it in records)
        assert all(sequences == sorted(sequences) for sequences in receiver.accepted().values())
        assert all(it.verified for it in got)
        assert (await here.webhooks.summary()).backlog.pending == 0

    async def test_a_dead_receiver_is_probed_with_one_event_at_a_time(
        self, here: Installation, receiver: Receiver
    ) -> None:
        receiver.answer = refuse("503 Down")
        endpoint = await here.add(receiver)
        for number in range(30):
            await here.shop.order(f"o{number}")

        first = await here.deliver()
        probes = []
        for _ in range(8):
            stored = await here.webhooks.get(endpoint.id)
            probes.append(round((stored.resume_at - here.world.clock()).total_seconds()))
            here.world.clock.now = stored.resume_at
            assert await here.sender().send_due() == 1

        assert first == 8
        assert probes == [40, 80, 160, 300, 300, 300, 300, 300]
        assert (await here.webhooks.summary()).failing == 1

    async def test_an_endpoint_that_accepts_nothing_for_days_is_disabled_and_nothing_is_lost(
        self, here: Installation, receiver: Receiver
    ) -> None:
        await receiver.stop()
        endpoint = await here.add(receiver)
        await here.shop.live("o1")
        for _ in range(10):
            await here.deliver()
            here.world.clock.forward(hours=8)
        stopped = await here.webhooks.get(endpoint.id)
        await here.shop.live("o2")
        await here.consume()
        waiting = await here.webhooks.unsettled(endpoint.id, at_most=100)

        await receiver.start()
        await here.change.enable(endpoint.id, **NOTE)
        await here.consume()
        await here.shop.live("o3")
        await here.deliver()

        assert (stopped.status, stopped.reason[:24]) == (EndpointStatus.DISABLED, "nothing was accepted sin")
        assert waiting == 7
        assert receiver.accepted() == {"o1": LIFE, "o2": LIFE, "o3": LIFE}
        assert (await here.webhooks.get(endpoint.id)).behind is None

    async def test_410_disables_the_endpoint(self, here: Installation, receiver: Receiver, other: Receiver) -> None:
        receiver.answer = refuse("410 Gone")
        endpoint = await here.add(receiver)
        await here.add(other)
        await here.shop.live("o1")

        await here.deliver()
        here.world.clock.forward(days=1)
        again = await here.sender().send_due()

        stored = await here.webhooks.get(endpoint.id)
        assert (stored.status, stored.reason) == (EndpointStatus.DISABLED, "it answered 410 Gone")
        assert (again, receiver.accepted()) == (0, {"o1": [1]})
        assert other.accepted() == {"o1": LIFE}
        assert (await here.webhooks.summary()).stopped == 1

    async def test_a_hanging_receiver_holds_up_no_other(
        self, here: Installation, receiver: Receiver, other: Receiver
    ) -> None:
        receiver.answer = hang
        await here.add(receiver)
        await here.add(other)
        for number in range(20):
            await here.shop.order(f"o{number}")
        await here.consume()
        stop, sender = asyncio.Event(), here.sender()

        running = asyncio.create_task(sender(stop))
        await eventually_async(lambda: len(other.received) == 20)
        at_once = len(receiver.received)
        stop.set()
        await receiver.stop()
        await running

        assert at_once <= sender.concurrency
        assert len(set(other.ids)) == 20

    async def test_retry_after_is_respected(self, here: Installation, receiver: Receiver) -> None:
        receiver.answer = refuse("429 Slow Down", retry_after="120")
        endpoint = await here.add(receiver)
        await here.shop.order("o1")

        await here.deliver()

        [waiting] = await here.webhooks.list(endpoint.id, limit=10)
        assert waiting.due_at - here.world.clock() == timedelta(seconds=120)

    async def test_of_a_response_only_a_short_masked_text_is_kept(self, here: Installation, receiver: Receiver) -> None:
        text = b"no token of_abcdefghijklmnop for ann@example.com\r\n\x00" + b"x" * 100_000
        receiver.answer = refuse("400 Bad Request", text)
        endpoint = await here.add(receiver)
        await here.shop.order("o1")

        await here.deliver()

        [kept] = await here.webhooks.list(endpoint.id, limit=10)
        assert kept.detail.startswith("400 no token *** for ***")
        assert len(kept.detail) <= 300

    async def test_results_that_cannot_be_stored_are_stored_later(self, here: Installation, receiver: Receiver) -> None:
        await here.add(receiver)
        await here.shop.order("o1")
        await here.consume()
        webhooks = FailingOnce(here.webhooks)
        stop = asyncio.Event()

        running = asyncio.create_task(here.sender(webhooks=webhooks)(stop))
        await eventually_async(lambda: is_settled(here))
        stop.set()
        await running

        assert webhooks.failures == 0
        assert len(receiver.received) == 1

    async def test_an_error_of_the_program_is_a_failed_attempt(self, here: Installation, receiver: Receiver) -> None:
        endpoint = await here.add(receiver)
        await here.shop.order("o1")
        await here.consume()

        await here.sender(client=Broken()).send_due()

        [waiting] = await here.webhooks.list(endpoint.id, limit=10)
        assert (waiting.status, waiting.detail[:12]) == (DeliveryStatus.PENDING, "ZeroDivision")


def _refuse_some(status: str, which: Callable[[ReceivedRequest], bool]) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await (refuse(status) if which(exchange.received) else accept)(exchange)

    return answer


@define
class FailingOnce:
    """Stores no results the first time."""

    inner: Any
    failures: int = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def settle(self, *given: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("storage", "it is away")
        await self.inner.settle(*given)


class Broken:
    """A client with a fault."""

    async def post(self, endpoint: Endpoint, message: WebhookMessage, secrets: Any) -> WebhookResponse:
        raise ZeroDivisionError

    async def forget(self, endpoint_ids: Any) -> None:
        """Do nothing."""
