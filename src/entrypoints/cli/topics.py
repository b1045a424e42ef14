"""TODO."""

from typing import Any

from cyclopts import App

from ...domain.errors import NotConfigured
from ..container import container_for
from .session import session

topics = App(name="topics", help="The topic on Kafka.")


@topics.command
async def create() -> None:
    """Make the topic with the partitions, replication and retention of the settings, and that for dead letters.

    One that is there with other settings is refused.
    """
    settings = session().settings
    admin = _admin()
    await _create(admin, settings.topic)
    if (beside := container_for(settings).dead_letter_admin()) is not None:
        await _create(beside, settings.dead_letter_topic)
    session().show(await admin.describe())


async def _create(admin: Any, topic: str) -> None:
    settings = session().settings
    retention = settings.topic_retention_hours
    made = await admin.create(
        partitions=settings.topic_partitions,
        replication=settings.topic_replication,
        retention_ms=-1 if retention == -1 else retention * 3_600_000,
    )
    session().say(f"topic {topic} {'made' if made else 'was there, as asked for'}")


@topics.command
async def describe() -> None:
    """The topic's partitions, replication and settings."""
    session().show(await _admin().describe())


def _admin() -> Any:
    admin = container_for(session().settings).topic_admin()
    if admin is None:
        raise NotConfigured("no Kafka is configured", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS")
    return admin
