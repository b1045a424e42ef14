"""Attempts to send webhooks are counted by how they ended."""

from datetime import UTC, datetime

import pytest
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.instrumented_webhooks import InstrumentedWebhookClient
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.application.webhooks.delivery import WebhookMessage, WebhookResponse
from orderflow.application.webhooks.endpoint import Endpoint
from orderflow.application.webhooks.ports import WebhookClient
from prometheus_client import CollectorRegistry
from pytest_mock import MockerFixture

ENDPOINT = Endpoint(id="e1", url="https://hooks.example/", created_at=datetime.now(UTC))
MESSAGE = WebhookMessage(id="0b1f", body=b"{}")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (WebhookResponse(code=204), "delivered"),
        (WebhookResponse(code=500), "refused"),
        (WebhookResponse(detail="no answer"), "unanswered"),
        (ZeroDivisionError(), "failed"),
    ],
)
async def test_an_attempt_is_counted(mocker: MockerFixture, answer: WebhookResponse | Exception, outcome: str) -> None:
    instruments = Instruments()
    inner = mocker.create_autospec(WebhookClient, instance=True, spec_set=True)
    inner.post.side_effect = [answer]
    client = InstrumentedWebhookClient(inner, instruments)

    if isinstance(answer, Exception):
        with pytest.raises(ZeroDivisionError):
            await client.post(ENDPOINT, MESSAGE, ["whsec_x"])
    else:
        assert await client.post(ENDPOINT, MESSAGE, ["whsec_x"]) == answer

    registry: CollectorRegistry = instruments.registry
    name = f"{catalogue.WEBHOOK_SECONDS.name}_count"
    assert registry.get_sample_value(name, {"outcome": outcome}) == 1
