"""Generates the contract documents from the code."""

from typing import Any

from msgspec.json import Encoder
from msgspec.json import format as formatted

from ...adapters.wire.contract.asyncapi import Topic, asyncapi
from ..http.openapi_document import document
from ..settings import CONSUMERS, Settings

_HOUR_MS = 3_600_000
_encoder = Encoder(decimal_format="number")


def events(settings: Settings) -> dict[str, Any]:
    """Build the AsyncAPI 3 document of the topic with these settings. Its amounts are Decimals."""
    hours = settings.topic_retention_hours
    encrypted = "ssl" in settings.kafka.get("security.protocol", "").lower()
    return asyncapi(
        Topic(
            name=settings.topic,
            partitions=settings.topic_partitions,
            replication=settings.topic_replication,
            retention_ms=-1 if hours == -1 else hours * _HOUR_MS,
            source=settings.event_source,
            groups=[f"{settings.topic}-{name}" for name in CONSUMERS],
            servers=[host.strip() for host in settings.kafka_bootstrap_servers.split(",") if host.strip()],
            protocol="kafka-secure" if encrypted else "kafka",
            direct=settings.publishing == "direct",
        )
    )


def http() -> dict[str, Any]:
    """Build the OpenAPI 3.1 document of the HTTP API. Raises NotConfigured without the extra ``http``."""
    return document()


def written(document: dict[str, Any]) -> str:
    """Format the document as JSON, amounts with their exact digits."""
    return formatted(_encoder.encode(document), indent=2).decode() + "\n"
