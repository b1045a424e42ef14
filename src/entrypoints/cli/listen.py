"""``orderflow listen``: forwards events to a program on this machine as webhooks, for development."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve

from ...application.event_log.records import LogRecord
from ...application.webhooks.delivery import WebhookMessage, WebhookResponse, deliveries_of
from ...application.webhooks.endpoint import Endpoint, checked_endpoint
from ...domain.errors import InvalidInput
from .events import log_after
from .session import session
from .webhooks import Restaurants, Types

if TYPE_CHECKING:
    from ...application.webhooks.ports import WebhookClient
    from ..container import Container


async def listen(
    *,
    forward_to: str,
    type_: Types = None,
    restaurant: Restaurants = None,
    events: int | None = None,
) -> None:
    """Forward new events to a URL as webhooks, for development.

    It runs until it is stopped, or has sent --events of them. Each event is sent once, nothing is stored, and private
    addresses are allowed. The signing secret is new each time, and printed first.
    """
    from ...adapters.webhooks.signing import new_secret

    secret = new_secret()
    if events is not None and events < 0:
        raise InvalidInput("events", f"it is {events}", "0 or more")
    endpoint = checked_endpoint(
        "listen",
        forward_to,
        types=type_ or (),
        restaurants=restaurant or (),
        label="",
        private=True,
        at=datetime.now(UTC),
    )
    async with session().opened() as container:
        session().show({"secret": secret}, secret)
        session().info("the signing secret of this session; new events are forwarded, Ctrl-C ends it")
        client = _client(container)
        try:
            await _forward(container, client, endpoint, secret, events)
        finally:
            await client.close()


def _client(container: "Container") -> "WebhookClient":
    from ..wiring.webhooks import client

    settings = evolve(session().settings, webhook_private_addresses=True)
    return client(settings, container.instruments())


async def _forward(
    container: "Container", client: "WebhookClient", endpoint: Endpoint, secret: str, events: int | None
) -> None:
    sent = 0
    if sent == events:
        return
    async for records in log_after(container, await container.storage().log.heads()):
        for message, record in await _messages(container, endpoint, records):
            _report(record, await client.post(endpoint, message, [secret]))
            sent += 1
            if sent == events:
                return


async def _messages(
    container: "Container", endpoint: Endpoint, records: Sequence[LogRecord]
) -> Sequence[tuple[WebhookMessage, LogRecord]]:
    from ...adapters.wire.webhook_body import webhook_body

    webhooks = container.effects().webhooks
    restaurants = await webhooks.restaurants({it.order_id for it in records}) if endpoint.restaurants else {}
    by_key = {(it.order_id, it.sequence): it for it in records}
    wanted = deliveries_of(endpoint, records, restaurants, datetime.now(UTC))
    found = ((it, by_key[it.order_id, it.sequence]) for it in wanted)
    return [(WebhookMessage(id=it.event_id, body=webhook_body(it, record.body)), record) for it, record in found]


def _report(record: LogRecord, response: WebhookResponse) -> None:
    answer = response.code if response.accepted else response.detail
    session().info(f"{record.order_id} {record.sequence} {record.type}: {answer}")
