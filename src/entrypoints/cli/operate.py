"""``serve``, ``relay``, ``consume``, ``db``, ``topics``, ``lag``, ``check`` and ``config``: running an installation."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.table import Table

from ...application.check import Report
from ...application.lag import ReaderLag
from ...domain.errors import InvalidInput, NotConfigured
from ..container import CONSUMERS, container_for
from ..processes import run
from ..settings import PREFIX, described
from ..stopping import until_signalled
from .session import rows, session

db = App(name="db", help="The database schema.")
topics = App(name="topics", help="The topic on Kafka.")


async def serve(
    *,
    api: Annotated[bool, Parameter(help="answer HTTP requests")] = True,
    relay: Annotated[bool | None, Parameter(help="publish to Kafka (default: where Kafka is configured)")] = None,
    consumers: Annotated[bool, Parameter(help="run the three consumers")] = True,
) -> None:
    """API, relay and consumers in one process; switch off what runs elsewhere (--no-relay, --no-consumers)."""
    settings = session().settings
    with_relay = settings.uses_kafka and settings.publishing == "log" if relay is None else relay
    container = container_for(settings)
    async with until_signalled(container.stopping(), with_grace=api) as stop:
        await run(container, api=api, relay=with_relay, consumers=CONSUMERS if consumers else (), stop=stop)


async def relay() -> None:
    """Bring events from the log to Kafka, exactly once and in order, until stopped."""
    container = container_for(session().settings)
    async with until_signalled(container.stopping()) as stop:
        await run(container, relay=True, stop=stop)


async def consume(*names: str) -> None:
    """Run the named consumers until stopped: notifications, analytics, inventory; without names, all."""
    container = container_for(session().settings)
    async with until_signalled(container.stopping()) as stop:
        await run(container, consumers=names or CONSUMERS, stop=stop)


def config() -> None:
    """All settings as they are, secrets masked; each is an environment variable ORDERFLOW_NAME."""
    shown = described(session().settings)
    session().show(shown, rows("setting", "value", of=((PREFIX + k.upper(), v) for k, v in shown.items())))


@db.command
async def upgrade() -> None:
    """Make the schema, or bring it to the newest migration."""
    from ...adapters.sql import schema

    settings = session().settings
    await schema.upgrade(settings.database_url, pooled=settings.pooled)
    session().show({"schema": await _schema(), "newest": schema.newest()})


@db.command
async def current() -> None:
    """The schema's migration, and the newest there is."""
    from ...adapters.sql import schema

    session().show({"schema": await _schema(), "newest": schema.newest()})


async def _schema() -> str | None:
    from ...adapters.sql import schema

    settings = session().settings
    return await schema.current(settings.database_url, pooled=settings.pooled)


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


async def lag(*, wait: float | None = None) -> int:
    """Events of the log that each reader has yet to come to; beside it what is held back, and Kafka's own group lag.

    --wait SECONDS: until there is none, at most so long; exit 1 when some is left. Nobody waits for what is held back,
    nor for a consumer that is paused.
    """
    refuse_negative(wait or 0)
    async with session().opened() as container:
        found = await caught_up(container, wait or 0)
        groups = await group_lags(container)
    data = [
        {
            "reader": each.reader,
            "events": each.events,
            "held": each.held,
            "paused": each.paused,
            "kafkaGroup": groups.get(each.reader),
        }
        for each in found
    ]
    columns = ("reader", "events to come", "held back", "state", "Kafka's group lag")
    shown = ((d["reader"], d["events"], d["held"], "paused" if d["paused"] else "", d["kafkaGroup"]) for d in data)
    session().show(data, rows(*columns, of=shown))
    return 1 if wait is not None and any(each.waited_for for each in found) else 0


def refuse_negative(wait: float) -> None:
    """Raises InvalidInput for what is no time to wait, in seconds."""
    if not 0 <= wait < float("inf"):
        raise InvalidInput("wait", str(wait), "seconds, 0 or more")


async def caught_up(container: Any, seconds: float) -> Sequence[ReaderLag]:
    """What relay and consumers have yet to come to, as soon as that is nothing, or after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found: Sequence[ReaderLag] = await container.lag()()
        if not any(each.waited_for for each in found) or asyncio.get_running_loop().time() >= deadline:
            return found
        await asyncio.sleep(0.1)


async def group_lags(container: Any) -> Mapping[str, int]:
    if container.kafka() is None:
        return {}
    from ...adapters.kafka import GroupLag

    asked = GroupLag(container.kafka())
    groups = {container.kafka().consumer_group(name): name for name in CONSUMERS}
    try:
        found = await asked.of(groups)
    finally:
        await asked.close()
    return {groups[group]: sum(part.lag for part in parts) for group, parts in found.items()}


async def check(*, wait: float = 0.0) -> int:
    """Compare orders, log, topic and effects; print what was compared and every difference, exit 1 on any.

    --wait SECONDS: first let relay and consumers catch up, at most so long.
    """
    refuse_negative(wait)
    async with session().opened() as container:
        await caught_up(container, wait)
        report = await container.check()()
    session().show({"clean": report.clean, "report": report}, check_table(report))
    for comparison in report.comparisons:
        for difference in comparison.differences:
            session().say(f"{comparison.name}: {difference.where}: {difference.problem}")
        if comparison.found > len(comparison.differences):
            session().say(f"{comparison.name}: {comparison.found - len(comparison.differences)} more")
    for note in report.notes:
        session().say(f"note: {note}")
    session().say("clean" if report.clean else f"{report.found} differences")
    return 0 if report.clean else 1


def check_table(report: Report) -> Table:
    """What was compared, with how many differences."""
    return rows(
        "compared",
        "how much",
        "differences",
        of=(
            (c.name, "skipped: " + c.skipped if c.skipped else f"{c.compared} {c.unit}", "" if c.skipped else c.found)
            for c in report.comparisons
        ),
    )
