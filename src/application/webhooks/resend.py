"""Sending deliveries of an order to an endpoint again, by an operator; and a test message."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from attrs import frozen

from ...domain.errors import InvalidInput, NotFound
from ...domain.text import counted
from ..clock import Clock, NewId
from ..event_log.ports import EventLog
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .delivery import WebhookDelivery, WebhookMessage, WebhookResponse, deliveries_of
from .endpoint import WEBHOOKS
from .ports import WebhookClient, Webhooks

MAX_EVENTS = 10_000
"""Events of one order that are sent again at once."""
TEST = b'{"type":"webhook.test","data":{}}'
"""The body of a test message. No event has this type."""

logger = logging.getLogger("orderflow.webhooks")


@frozen(kw_only=True)
class ResendDeliveries:
    """Sends an order's events to an endpoint again, also those that are no longer in the log of deliveries."""

    webhooks: Webhooks
    log: EventLog
    maintenance_log: MaintenanceLog
    clock: Clock
    now: Callable[[], Awaitable[datetime]]
    wake: Callable[[], None]

    async def __call__(
        self, endpoint_id: str, order_id: str, *, sequence: int | None = None, by: str, reason: str
    ) -> Sequence[WebhookDelivery]:
        """Make the deliveries of the order, or of its event number ``sequence``, due now; return them.

        The ids of the messages stay the same. An event that the endpoint's filter leaves out is not sent. Raises
        NotFound for an unknown endpoint, order or event, InvalidInput for a disabled endpoint or a blank name or
        reason, StorageUnavailable.
        """
        endpoint, now = await self.webhooks.get(endpoint_id), await self.now()
        if not endpoint.enabled:
            raise InvalidInput("endpoint", "it is disabled", "an enabled one; `orderflow webhooks enable`")
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        history = [it for it in await self.log.history(order_id) if sequence in (None, it.sequence)][:MAX_EVENTS]
        if not history:
            raise NotFound("event of order", order_id if sequence is None else f"{order_id}/{sequence}")
        restaurants = await self.webhooks.restaurants([order_id]) if endpoint.restaurants else {}
        wanted = deliveries_of(endpoint, history, restaurants, now)
        stored = {it.key: it for it in await self.webhooks.find([it.key for it in wanted])}
        again = [stored[it.key].again(now) if it.key in stored else it for it in wanted]
        detail = f"resend of {counted(len(again), 'event')} of order {order_id} to endpoint {endpoint_id}"
        entry = MaintenanceEntry(kind=MaintenanceKind.RESEND, note=note, consumer=WEBHOOKS, detail=detail)
        await self.maintenance_log.record(entry)
        await self.webhooks.resend(again)
        logger.warning("webhook deliveries are sent again by an operator", extra={"change": detail})
        self.wake()
        return again


@frozen(kw_only=True)
class SendTest:
    """Sends a test message to an endpoint, enabled or not, each by a client of its own. Nothing is recorded."""

    webhooks: Webhooks
    new_client: Callable[[], WebhookClient]
    new_id: NewId
    now: Callable[[], Awaitable[datetime]]

    async def __call__(self, endpoint_id: str) -> WebhookResponse:
        """Return the answer. Raises NotFound, NotConfigured, StorageUnavailable."""
        endpoint = await self.webhooks.get(endpoint_id)
        secrets = (await self.webhooks.secrets([endpoint_id], await self.now()))[endpoint_id]
        message = WebhookMessage(id=f"test-{self.new_id()}", body=TEST)
        client = self.new_client()
        try:
            return await client.post(endpoint, message, secrets)
        finally:
            await client.close()
