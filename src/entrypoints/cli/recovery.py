"""``orderflow log``: recovery after the database was restored or the topic replaced."""

from typing import TYPE_CHECKING

from cyclopts import App

from ...application.event_log.records import FIRST_EPOCH, Origin
from ...application.recovery.epochs import Epoch, Epochs
from ...application.recovery.repair_log import Loss
from ...domain.errors import NotConfigured
from ...domain.text import counted
from .session import rows, session

if TYPE_CHECKING:
    from rich.table import Table

    from ..container import Container

app = App(name="log")


@app.command
async def repair(*, dry_run: bool = False, by: str = "", reason: str = "") -> None:
    """Repair the log after the database was restored to an earlier point.

    Reads the whole topic, and lists the events that the log has lost and their orders. Unless --dry-run is given, a
    new epoch begins, in which these events are superseded; --by NAME and --reason TEXT are recorded. If nothing is
    lost, nothing is changed.
    """
    async with session().opened() as container:
        _needs_relay(container)
        if dry_run:
            loss, epoch = await container.find_lost_events()(), None
        else:
            result = await container.repair_log()(by=by, reason=reason)
            loss, epoch = result.loss, result.begun
    session().show({"loss": loss, "begun": epoch}, _lost(loss))
    session().info(_summary(loss))
    if epoch is not None:
        session().info(f"epoch {epoch.epoch} has begun: restart the relays and consumers that have refused and stopped")


@app.command
async def republish(*, by: str, reason: str) -> None:
    """Publish the whole log again, in order, in a new epoch that supersedes the records on the topic.

    This is for a topic that was recreated, or a new cluster. Relays begin within a second. --by NAME and --reason TEXT
    are recorded.
    """
    async with session().opened() as container:
        _needs_relay(container)
        epoch: Epoch = await container.republish()(by=by, reason=reason)
        known = await container.storage().epochs.all()
    session().show(epoch, _table(known))
    session().info(f"epoch {epoch.epoch} has begun: all events of {len(epoch.kept)} buckets are published again")


@app.command
async def skip(partition: int, offset: int, /, *, by: str, reason: str) -> None:
    """Skip one record of the topic that is not an event of the log, but looks like one.

    Consumers set it aside instead of stopping at it; check, repair and replay leave it out. --by NAME and --reason TEXT
    are recorded. An event of the log is not skipped.
    """
    async with session().opened() as container:
        _needs_relay(container)
        place: Origin = await container.skip_record()(partition, offset, by=by, reason=reason)
    session().show(place, rows("topic", "partition", "offset", of=[(place.topic, place.partition, place.offset)]))
    session().info("skipped: restart the consumers that have refused and stopped")


@app.command
async def epochs() -> None:
    """Show every epoch of the log, who began it, when and why."""
    async with session().opened() as container:
        known: Epochs = await container.storage().epochs.all()
    session().show({"epoch": known.now, "begun": known.begun}, _table(known))


def _needs_relay(container: "Container") -> None:
    if container.relay_cursors() is None:
        raise NotConfigured(
            "no relay publishes here", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, and ORDERFLOW_PUBLISHING=log"
        )


def _lost(loss: Loss) -> "Table":
    lost = ((each.order_id, each.events, each.in_log) for each in loss.orders)
    return rows("order", "events only on the topic", "events in the log", of=lost)


def _summary(loss: Loss) -> str:
    read = f"{counted(loss.records, 'record')} read, {loss.superseded} of earlier epochs"
    if loss.expired:
        read += f"; not compared: {counted(loss.expired, 'published event')} no longer on the topic"
    if not loss.any:
        return f"{read}; the log has every event that was compared"
    return (
        f"{read}; not in the log: {counted(loss.events, 'event')} of {counted(loss.orders_concerned, 'order')} "
        f"in {counted(len(loss.kept), 'bucket')} (epoch {loss.epoch}, the newest on the topic is {loss.newest})"
    )


def _table(known: Epochs) -> "Table":
    first = (FIRST_EPOCH, None, None, None, None)
    begun = ((it.epoch, it.note.at, it.note.by, it.note.reason, len(it.kept)) for it in known.begun)
    return rows("epoch", "begun", "by", "reason", "buckets published again", of=[first, *begun])
