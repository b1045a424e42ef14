"""A client of webhooks whose attempts are counted and timed."""

from collections.abc import Collection, Sequence
from time import perf_counter

from attrs import define

from ...application.webhooks.delivery import WebhookMessage, WebhookResponse
from ...application.webhooks.endpoint import Endpoint
from ...application.webhooks.ports import WebhookClient
from .metrics import catalogue
from .metrics.instruments import Instruments


@define(eq=False)
class InstrumentedWebhookClient:
    client: WebhookClient
    instruments: Instruments

    async def post(self, endpoint: Endpoint, message: WebhookMessage, secrets: Sequence[str]) -> WebhookResponse:
        began, outcome = perf_counter(), "failed"
        try:
            response = await self.client.post(endpoint, message, secrets)
            outcome = _outcome(response)
        finally:
            self.instruments.observe(catalogue.WEBHOOK_SECONDS, perf_counter() - began, outcome=outcome)
        return response

    async def forget(self, endpoint_ids: Collection[str]) -> None:
        await self.client.forget(endpoint_ids)

    async def close(self) -> None:
        await self.client.close()


def _outcome(response: WebhookResponse) -> str:
    if response.accepted:
        return "delivered"
    return "unanswered" if response.code is None else "refused"
