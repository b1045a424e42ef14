"""A channel of another author holds up or breaks nothing."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import structlog
from attrs import evolve
from orderflow import OrderFlow
from orderflow.adapters.memory import MemoryNotifier
from orderflow.adapters.notifications.log import LogChannel
from orderflow.application.notifications import notify
from orderflow.application.notifications.notification import REFUND, Message, MessageText, NotificationStatus
from orderflow.domain.actor import Role
from orderflow.testing import NotificationChannelContract

from tests.doors.entrypoints.test_embedded import placed
from tests.support.waiting import eventually_async


class TestLogChannel(NotificationChannelContract):
    @pytest.fixture
    def channel(self) -> LogChannel:
        return LogChannel(structlog.get_logger())


class TestMemoryNotifier(NotificationChannelContract):
    @pytest.fixture
    def channel(self) -> MemoryNotifier:
        return MemoryNotifier()

    @pytest.fixture
    def channel_that_is_down(self) -> MemoryNotifier:
        return MemoryNotifier(problem="no connection")


class Silent(MemoryNotifier):
    async def send(self, message: Message) -> Any:
        await asyncio.Event().wait()


class Wordless(MemoryNotifier):
    async def send(self, message: Message) -> Any:
        return True


class Cancelled(MemoryNotifier):
    async def send(self, message: Message) -> Any:
        request = asyncio.ensure_future(asyncio.Event().wait())
        request.cancel()
        await request


class Exiting(MemoryNotifier):
    async def send(self, message: Message) -> Any:
        sys.exit(3)


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        (Silent, "no answer within 0.01 s"),
        (Wordless, "sms returned bool and no Receipt"),
        (Cancelled, "channel sms raised CancelledError"),
        (Exiting, "channel sms raised SystemExit 3"),
    ],
)
async def test_a_channel_that_does_not_answer_as_it_should_is_asked_again_later(
    channel: type[MemoryNotifier], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "SEND_SECONDS", 0.01)
    log = MemoryNotifier(name="log", everybody=True)
    async with OrderFlow.in_memory(channels=[channel(name="sms", everybody=True), log]) as flow:
        await placed(flow, "O1")
        notifications = flow.container.effects().notifications

        async def tried() -> bool:
            waiting = await notifications.list(NotificationStatus.PENDING, limit=10)
            return any(reason in it.detail for it in waiting if it.channel == "sms")

        await eventually_async(tried)
        await eventually_async(lambda: len(log.sent) == 2)


async def test_templates_that_fail_for_the_answer_to_a_refund_hold_up_that_message_only() -> None:
    missing: set[str] = set()

    def templates(role: Role, values: Mapping[str, str], *, event_type: str) -> MessageText:
        if event_type in missing:
            raise LookupError(event_type)
        return MessageText("subject", event_type)

    sms = MemoryNotifier(name="sms", everybody=True)
    async with OrderFlow.in_memory(channels=[sms], templates=templates) as flow:
        paid = await placed(flow, "O1", payment_method="card", card_token="tok_success")
        await flow.record_payment(paid)
        await flow.cancel_order(paid, "late")
        await flow.settled()
        missing |= {"refund.succeeded", "refund.declined"}
        effects = flow.container.effects()
        [first, *_] = await effects.notifications.of_orders(["O1"])
        pending = evolve(first, status=NotificationStatus.PENDING, sent_at=None, attempts=0)
        async with effects.store("notifications") as work:
            await work.notifications.record([evolve(pending, sequence=90, awaits=REFUND)])
            await work.notifications.record([evolve(pending, sequence=91)])

        await eventually_async(lambda: any(message.sequence == 91 for message in sms.sent))
        found = {it.sequence: it for it in await effects.notifications.of_orders(["O1"])}

    assert (found[90].status, found[91].status) == (NotificationStatus.PENDING, NotificationStatus.SENT)
    assert "LookupError" in found[90].detail
