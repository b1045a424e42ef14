"""``orderflow topics``: the topic on Kafka."""

from typing import Any

from cyclopts import App

from ...domain.errors import NotConfigured
from .session import build_container, session

app = App(name="topics")


@app.command
async def create() -> None:
    """Create the topic with the partitions, replication and retention of the settings.

    The topic for dead letters is created as well if one is set. A topic that exists with other settings is refused.
    """
    settings = session().settings
    admin = _admin()
    await _create(admin, settings.topic)
    if (dead_letter_admin := build_container(settings).dead_letter_admin()) is not None:
        await _create(dead_letter_admin, settings.dead_letter_topic)
    session().show(await admin.describe())


async def _create(admin: Any, topic: str) -> None:
    settings = session().settings
    retention = settings.topic_retention_hours
    created = await admin.create(
        partitions=settings.topic_partitions,
        replication=settings.topic_replication,
        retention_ms=-1 if retention == -1 else retention * 3_600_000,
    )
    session().info(f"topic {topic} {'created' if created else 'exists already, with these settings'}")


@app.command
async def describe() -> None:
    """Show the topic's partitions, replication and settings."""
    session().show(await _admin().describe())


def _admin() -> Any:
    admin = build_container(session().settings).topic_admin()
    if admin is None:
        raise NotConfigured("no Kafka is configured", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS")
    return admin
