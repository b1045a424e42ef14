"""A channel of another author holds up or breaks nothing."""

import asyncio
from typing import Any

import pytest
import structlog
from orderflow import OrderFlow
from orderflow.adapters.memory import MemoryNotifier
from orderflow.adapters.notifications.log import LogChannel
from orderflow.application.notifications import notify
from orderflow.application.notifications.notification import Message, NotificationStatus
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


@pytest.mark.parametrize(
    ("channel", "reason"), [(Silent, "no answer within 0.01 s"), (Wordless, "sms returned bool and no Receipt")]
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
