"""Orders, the consumer *webhooks* and its sender, for tests of webhooks."""

from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

import pytest
from attrs import define, field

from ...adapters.wakeup import LocalWakeup
from ...adapters.webhooks.http_client import HttpWebhookClient, Limits
from ...adapters.wire.webhook_body import webhook_body
from ...application.event_log.records import unread
from ...application.webhooks.catch_up import FollowLog
from ...application.webhooks.change_endpoints import ChangeEndpoints
from ...application.webhooks.endpoint import WEBHOOKS, Endpoint
from ...application.webhooks.record_deliveries import RecordDeliveries
from ...application.webhooks.send_deliveries import SendDeliveries
from .shop import Shop
from .webhook_receiver import Receiver, webhook_use_cases
from .world import World

NOTE: dict[str, Any] = {"by": "ann", "reason": "a test"}
LIFE = [1, 2, 3, 4, 5, 6, 7]
"""The sequences of a whole life."""


async def _never() -> bool:
    return False


async def is_settled(here: "Installation") -> bool:
    summary = await here.webhooks.summary()
    return not summary.backlog.pending


@define(eq=False, slots=False)
class Installation:
    """Orders, the consumer *webhooks* and its sender on one storage; due times go by the world's hand clock."""

    world: World
    most: int = 10_000
    shop: Shop = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.shop = Shop(clock=self.world.clock, storage=self.world.storage)

    @property
    def webhooks(self) -> Any:
        return self.world.effects.webhooks

    @property
    def change(self) -> ChangeEndpoints:
        change: ChangeEndpoints = webhook_use_cases(self.world.storage, self.world.effects, self.world.clock)[1]
        return change

    @cached_property
    def client(self) -> HttpWebhookClient:
        return HttpWebhookClient(Limits(seconds=60.0, private=True), "orderflow/test")

    def sender(self, owner: str = "one", **settings: Any) -> SendDeliveries:
        """Return the sender of a process."""
        now = self.world.clock.of_storage
        follow = FollowLog(
            self.webhooks,
            self.world.effects.store,
            self.world.storage.log,
            self.world.storage.cursors,
            now,
            lambda: 256,
            most=self.most,
            few=self.most // 2,
            page=20,
        )
        given: dict[str, Any] = {
            "webhooks": self.webhooks,
            "client": self.client,
            "stop_endpoint": self.change.stop,
            "jitter": lambda: 0.5,
            **settings,
        }
        return SendDeliveries(
            owner=owner,
            log=self.world.storage.log,
            body=webhook_body,
            follow=follow,
            now=now,
            wakeup=LocalWakeup().listener(),
            paused=_never,
            **given,
        )

    async def add(self, receiver: Receiver, **filters: Any) -> Endpoint:
        endpoint, receiver.secret = await self.change.add(receiver.url, **filters)
        return endpoint

    async def consume(self) -> None:
        """Let the consumer handle what is new, and endpoints that are behind catch up."""
        handle = self.world.handling(RecordDeliveries(self.world.clock.of_storage))
        at = await self.world.storage.cursors.positions(WEBHOOKS)
        heads = await self.world.storage.log.heads()
        if behind := unread(at, heads):
            await handle(await self.world.storage.log.read(behind, limit=10_000))
        await self.follow()

    async def deliver(self) -> int:
        """Let the consumer handle what is new, and a process send what is due. Returns how many it has sent."""
        await self.consume()
        return await self.sender().send_due()

    async def follow(self) -> None:
        sender = self.sender()
        while any([await sender.follow(it) for it in await sender.webhooks.endpoints() if it.enabled]):
            pass

    async def close(self) -> None:
        await self.client.close()


class WebhookFixtures:
    """An installation and two receivers, which have no endpoints yet; subclassed with a fixture ``world``."""

    @pytest.fixture
    async def here(self, world: World) -> AsyncIterator[Installation]:
        installation = Installation(world)
        yield installation
        await installation.close()

    @pytest.fixture
    async def receiver(self) -> AsyncIterator[Receiver]:
        async with Receiver() as receiver:
            yield receiver

    @pytest.fixture
    async def other(self) -> AsyncIterator[Receiver]:
        async with Receiver() as receiver:
            yield receiver
