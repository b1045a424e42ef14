"""Sends webhook deliveries: each order's in sequence, and no endpoint waits for another."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from random import random
from time import monotonic

from attrs import define, field

from ...domain.errors import NotConfigured, NotFound, Unavailable
from ..backoff import Backoff, pause
from ..event_log.ports import EventLog, Wakeup
from ..noop import noop
from .attempt_outcome import outcome, reason_to_disable, response_of
from .catch_up import FollowLog
from .delivery import LONGEST_PAUSE, RETRIED_FOR, DeliveryKey, WebhookDelivery, WebhookMessage, WebhookResponse
from .endpoint import Endpoint
from .ports import DELETED_AT_ONCE, Body, WebhookClient, Webhooks

CONCURRENCY = 8
"""Messages that are sent to one endpoint at once."""
AHEAD = 4
"""So many times as many are read at once, so that sending seldom waits for the storage."""
LEASE = timedelta(seconds=30)
"""The time for which a process owns the endpoints that it sends to. After a crash others send to them, same ids."""
RETENTION = timedelta(days=7)
LOOK_SECONDS = 1.0
"""Seconds between two looks for changed endpoints and for what is due again."""
FOLLOW_SECONDS = 5.0
"""Seconds between two looks for endpoints that have fallen behind."""
CLEAN_SECONDS = 60.0
LAST_SECONDS = 3.0
"""Seconds that requests in progress get when the process stops; those that are cut off are sent again."""

logger = logging.getLogger("orderflow.webhooks")


@define(eq=False, kw_only=True)
class SendDeliveries:
    """Sends what is due to the endpoints that this process owns: one process for each endpoint at a time.

    At most ``concurrency`` messages are on their way to one endpoint, of one order one. A slow endpoint fills its own
    places only. A failed attempt is repeated with back-off and jitter for ``retried_for``, and then the delivery has
    failed for good; the order's later ones wait for it that long. After FAILING_AFTER failures in a row the endpoint
    is probed with one message at a time until it accepts one; if that takes ``retried_for``, or it answers with 410,
    it is disabled. Nothing of it is lost: ``stop_endpoint`` keeps what it misses for when it is enabled. ``now`` is the
    storage's time, by which all is due. While ``paused``, nothing is sent.
    """

    owner: str
    webhooks: Webhooks
    log: EventLog
    client: WebhookClient
    body: Body
    follow: FollowLog
    stop_endpoint: Callable[[str, str], Awaitable[Endpoint]]
    now: Callable[[], Awaitable[datetime]]
    wakeup: Wakeup
    paused: Callable[[], Awaitable[bool]]
    concurrency: int = CONCURRENCY
    retried_for: timedelta = RETRIED_FOR
    retention: timedelta = RETENTION
    failed: Callable[[Exception], None] = noop
    jitter: Callable[[], float] = random
    _endpoints: dict[str, Endpoint] = field(factory=dict, init=False)
    _secrets: Mapping[str, Sequence[str]] = field(factory=dict, init=False)
    _owned_until: float = field(default=0.0, init=False)
    _look_at: float = field(default=0.0, init=False)
    _read: dict[DeliveryKey, tuple[WebhookDelivery, bytes | None]] = field(factory=dict, init=False)
    """Due deliveries with their events, which are sent next, the earliest first."""
    _running: "dict[asyncio.Task[WebhookResponse], WebhookDelivery]" = field(factory=dict, init=False)
    _ended: dict[DeliveryKey, WebhookDelivery] = field(factory=dict, init=False)
    """Results that are not stored yet."""
    _health: set[str] = field(factory=set, init=False)
    """The endpoints that have failed or recovered since the results before were stored."""
    _storing: "asyncio.Task[None] | None" = field(default=None, init=False)
    _news: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set."""
        try:
            async with asyncio.TaskGroup() as group:
                for step in (self._step, self._follow_all, self._clean):
                    group.create_task(self._repeat(step, stop))
        except* Exception as failures:  # noqa: BLE001  # nothing is swallowed: the first error stands for all
            raise failures.exceptions[0] from None
        finally:
            await self._end()

    async def send_due(self) -> int:
        """Send what is due now, and what that makes due; return how many attempts ended. For tests and tools."""
        ended, self._look_at = 0, 0.0
        try:
            while True:
                await self._begin()
                if not self._running and self._storing is None:
                    return ended
                ended += await self._wait()
        finally:
            await self._end()

    async def _repeat(self, step: Callable[[], Awaitable[float]], stop: asyncio.Event) -> None:
        """Call ``step`` again after the seconds that it returns; later while the storage is unavailable."""
        backoff = Backoff(first=1.0, longest=60.0)
        while not stop.is_set():
            try:
                seconds = await step()
            except (Unavailable, NotConfigured) as error:
                self.failed(error)
                seconds = backoff.pause()
                logger.warning("webhooks wait: %s", error, extra={"error": error.code, "seconds": seconds})
            else:
                backoff.reset()
            if seconds:
                await pause(stop, seconds)

    async def _step(self) -> float:
        """Begin what may begin, and store what has ended, as soon as either is possible."""
        if not await self.paused():
            await self._begin()
        if self._news is None:
            self._news = asyncio.ensure_future(self.wakeup.wait(LOOK_SECONDS))
        await self._wait(self._news)
        if self._news.done():
            news, self._news = self._news, None
            news.result()
        return 0.0

    async def _wait(self, *others: "asyncio.Task[None]") -> int:
        """Wait until attempts have ended, results are stored or one of ``others`` is done; return how many ended."""
        storing = self._storing
        on_the_way = {*self._running, *others} | (set() if storing is None else {storing})
        await asyncio.wait(on_the_way, return_when=asyncio.FIRST_COMPLETED)
        if storing is not None and storing.done():
            self._storing = None
            storing.result()
        ended = [task for task in self._running if task.done()]
        await self._note(ended)
        if self._ended and self._storing is None:
            self._storing = asyncio.ensure_future(self._store())
        return len(ended)

    async def _begin(self) -> None:
        """Send what is due as far as there are places for it."""
        if monotonic() >= self._look_at:
            await self._store_all()
            await self._look()
        if monotonic() >= self._owned_until:
            return
        now = await self.now()
        here = Counter(it.endpoint_id for it in self._running.values())
        places = {it.id: self._places(it, now) - here[it.id] for it in self._endpoints.values()}
        waiting = Counter(key.endpoint_id for key in self._read)
        if short := [endpoint_id for endpoint_id, free in places.items() if free > waiting[endpoint_id]]:
            await self._read_due(short, now)
        for key, (delivery, event) in list(self._read.items()):
            if places.get(key.endpoint_id, 0) > 0 and key.endpoint_id in self._endpoints:
                places[key.endpoint_id] -= 1
                del self._read[key]
                post = self._post(delivery, self._endpoints[key.endpoint_id], event)
                self._running[asyncio.ensure_future(post)] = delivery

    async def _read_due(self, endpoint_ids: Sequence[str], now: datetime) -> None:
        """Read deliveries that are due, in sequence per order, with their events."""
        in_hand = self._in_hand()
        number = Counter(it.endpoint_id for it in in_hand)
        ahead = {id_: 1 if self._endpoints[id_].failing else AHEAD * self.concurrency for id_ in endpoint_ids}
        # Those in hand are the earliest, so they are among them.
        due = await self.webhooks.due({id_: number[id_] + more for id_, more in ahead.items()}, now)
        busy = {(it.order_id, it.endpoint_id) for it in (*in_hand, *self._in_hand())}
        new = {it.key: it for it in due if (it.order_id, it.endpoint_id) not in busy}
        events = await self.log.bodies({it.address for it in new.values()}) if new else {}
        self._read |= {key: (it, events.get(it.address)) for key, it in new.items()}

    def _in_hand(self) -> Sequence[DeliveryKey]:
        """Return what is read, on its way, or not stored yet."""
        return (*self._read, *(it.key for it in self._running.values()), *self._ended)

    def _places(self, endpoint: Endpoint, now: datetime) -> int:
        """Return how many messages may be on their way to it at once."""
        if endpoint.resume_at is not None and now < endpoint.resume_at <= now + 2 * LONGEST_PAUSE:
            return 0  # a later time is a wrong clock's
        return 1 if endpoint.failing else self.concurrency

    async def _look(self) -> None:
        """See which endpoints this process owns, and how long."""
        began, now = monotonic(), await self.now()
        owned = await self.webhooks.own(self.owner, now=now, until=now + LEASE)
        self._endpoints = {it.id: it for it in owned}
        self._secrets = await self.webhooks.secrets(self._endpoints.keys(), now)
        self._owned_until = began + LEASE.total_seconds() / 2
        self._read.clear()  # an operator may have changed them
        self._look_at = began + LOOK_SECONDS
        await self.client.forget({*self._endpoints, *(it.endpoint_id for it in self._running.values())})

    async def _post(self, delivery: WebhookDelivery, endpoint: Endpoint, event: bytes | None) -> WebhookResponse:
        if event is None:
            return WebhookResponse(detail="the log has no such event")
        message = WebhookMessage(id=delivery.event_id, body=self.body(delivery, event))
        return await self.client.post(endpoint, message, self._secrets.get(endpoint.id, ()))

    async def _note(self, done: "Collection[asyncio.Task[WebhookResponse]]") -> None:
        """Note the results of attempts."""
        if not done:
            return
        now = await self.now()
        for task in done:
            delivery = self._running.pop(task)
            before = self._endpoints.get(delivery.endpoint_id)
            result, endpoint = outcome(
                delivery, before, response_of(task), now, retried_for=self.retried_for, jitter=self.jitter
            )
            self._ended[result.key] = result
            if endpoint is not None and endpoint is not before:
                self._endpoints[endpoint.id] = endpoint
                self._health.add(endpoint.id)

    async def _store_all(self) -> None:
        """Store all results that are not stored yet."""
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing
        await self._store()

    async def _store(self) -> None:
        """Store the results so far, and disable endpoints that are to be. What ends meanwhile is stored next."""
        if not self._ended:
            return
        now = await self.now()
        results, changed = dict(self._ended), self._health
        endpoints = [it for it in self._endpoints.values() if it.id in changed]
        self._health = set()
        try:
            await self.webhooks.settle(list(results.values()), endpoints, now)
        except BaseException:
            self._health |= changed
            raise
        self._ended = {key: it for key, it in self._ended.items() if it is not results.get(key)}
        for it in endpoints:
            codes = {result.code for result in results.values() if result.endpoint_id == it.id}
            if reason := reason_to_disable(it, codes, now, retried_for=self.retried_for):
                await self._stop(it, reason)

    async def _stop(self, endpoint: Endpoint, reason: str) -> None:
        self._endpoints.pop(endpoint.id, None)
        with suppress(NotFound):  # it was removed meanwhile
            await self.stop_endpoint(endpoint.id, reason)
        logger.error("webhook endpoint disabled", extra={"endpoint": endpoint.id, "detail": reason})

    async def _follow_all(self) -> float:
        """Let the endpoints of this process fall behind or catch up."""
        if await self.paused():
            return LOOK_SECONDS
        changed = [await self._follow(endpoint) for endpoint in list(self._endpoints.values())]
        if any(changed):
            self._look_at = 0.0
            self.wakeup.notify()
            return 0.0
        catching_up = any(it.behind is not None for it in self._endpoints.values())
        return LOOK_SECONDS if catching_up else FOLLOW_SECONDS

    async def _follow(self, endpoint: Endpoint) -> bool:
        try:
            return await self.follow(await self.webhooks.get(endpoint.id))
        except NotFound:
            return False

    async def _clean(self) -> float:
        """Delete deliveries that were settled long ago, in small steps."""
        now = await self.now()
        if await self.webhooks.delete_before(now - self.retention) == DELETED_AT_ONCE:
            return 0.0
        return CLEAN_SECONDS

    async def _end(self) -> None:
        """Wait a moment for what is on its way, store it, cut off the rest, and leave the endpoints to others."""
        if self._news is not None:
            self._news.cancel()
            self._news = None
        done, late = await asyncio.wait(set(self._running), timeout=LAST_SECONDS) if self._running else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            await self._note(done)
            await self._store_all()
            await self.webhooks.disown(self.owner)
        except Unavailable as error:
            logger.warning("results of webhooks are not stored, so they are sent again: %s", error)
        finally:
            self._read.clear()
            self._running.clear()
            self._ended.clear()
            self._health.clear()
            self._endpoints, self._owned_until, self._look_at = {}, 0.0, 0.0
            await self.client.forget(())
