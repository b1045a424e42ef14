"""``orderflow log``: recovery of log and topic."""

from typing import TYPE_CHECKING, Any

from cyclopts import App

from ...application.event_log.records import FIRST_EPOCH
from ...application.recovery.epochs import Epoch, Epochs
from ...application.recovery.repair_log import Loss
from ...domain.errors import NotConfigured
from .session import rows, session

app = App(
    name="log",
    help="Repair the log after a restore of the database, and publish all of it again.",
)


@app.command
async def repair(*, dry_run: bool = False, by: str = "", reason: str = "") -> None:
    """Continue after the database was restored to an earlier point: events that only the topic has become invalid.

    Reads the whole topic, and shows the events that the log does not have, by order. --dry-run stops there; otherwise a
    new epoch is begun, and --by NAME and --reason TEXT are recorded. If nothing is lost, nothing is changed.
    """
    async with session().opened() as container:
        _needs_relay(container)
        if dry_run:
            loss, epoch = await container.find_lost_events()(), None
        else:
            result = await container.repair_log()(by=by, reason=reason)
            loss, begun = result.loss, result.begun
    session().show({"loss": loss, "begun": begun}, _lost(loss))
    session().say(_summary(loss))
    if begun is not None:
        session().say(f"epoch {begun.epoch} is begun: restart the relays and consumers that refused to continue")


@app.command
async def republish(*, by: str, reason: str) -> None:
    """Publish the whole log again, in order, in a new epoch that supersedes the records on the topic.

    For a topic that was recreated, or a new cluster. Relays start within a second. --by NAME and --reason TEXT are
    recorded.
    """
    async with session().opened() as container:
        _needs_relay(container)
        epoch: Epoch = await container.republish()(by=by, reason=reason)
        known = await container.storage().epochs.all()
    session().show(epoch, _table(known))
    session().info(f"epoch {epoch.epoch} has begun: all events of {len(epoch.kept)} buckets are published again")


@app.command
async def epochs() -> None:
    """Show every epoch of the log, who began it, when and why."""
    async with session().opened() as container:
        known: Epochs = await container.storage().epochs.all()
    session().show({"epoch": known.now, "begun": known.begun}, _table(known))


def _needs_relay(container: Any) -> None:
    if container.relay_cursors() is None:
        raise NotConfigured(
            "no relay publishes here", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, and ORDERFLOW_PUBLISHING=log"
        )


def _lost(loss: Loss) -> "Table":
    lost = ((each.order_id, each.events, each.in_log) for each in loss.orders)
    return rows("order", "events only on the topic", "events in the log", of=lost)


def _summary(loss: Loss) -> str:
    if not loss.any:
        return f"{loss.records} records read, {loss.superseded} of earlier epochs; the log has all valid events"
    return (
        f"{loss.records} records read; {loss.events} events of {loss.orders_concerned} orders in "
        f"{len(loss.kept)} buckets are not in the log (epoch {loss.epoch}, the topic's newest is {loss.newest})"
    )


def _table(known: Epochs) -> "Table":
    first = (FIRST_EPOCH, None, None, None, None)
    begun = ((it.epoch, it.note.at, it.note.by, it.note.reason, len(it.kept)) for it in known.begun)
    return rows("epoch", "begun", "by", "reason", "buckets published again", of=[first, *begun])
