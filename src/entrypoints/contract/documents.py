"""Generates the contract documents from the code."""

from typing import Any

from msgspec.json import Encoder
from msgspec.json import format as format_json

from ...adapters.wire.contract.asyncapi import Topic, asyncapi
from ..container import container_for
from ..http_app import http_app
from ..settings import BUILT_IN, Settings

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
            groups=[f"{settings.topic}-{name}" for name in BUILT_IN],
            servers=[host.strip() for host in settings.kafka_bootstrap_servers.split(",") if host.strip()],
            protocol="kafka-secure" if encrypted else "kafka",
            direct=settings.publishing == "direct",
        )
    )


def http() -> dict[str, Any]:
    """Build the OpenAPI 3.1 document of an installation with bearer tokens. No connection is opened.

    Raises NotConfigured without the extra ``http``.
    """
    app = http_app(container_for(Settings(database_url="memory://")), development=False)
    from ..http.openapi import complete

    return complete(app.openapi_schema.to_schema())


def to_json(document: dict[str, Any]) -> str:
    """Format the document as JSON, amounts with their exact digits."""
    return format_json(_encoder.encode(document), indent=2).decode() + "\n"
