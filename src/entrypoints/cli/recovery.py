"""``orderflow log``: the log and the topic after one of them was lost, restored or replaced."""

from typing import Any

from cyclopts import App
from rich.table import Table

from ...application.event_log.records import FIRST_EPOCH
from ...application.recovery.epochs import Epoch, Epochs
from ...application.recovery.repair_log import Loss
from ...domain.errors import NotConfigured
from .session import rows, session

app = App(
    name="log",
    help="The log's epochs: mending it after the database was restored, and publishing all of it again.",
)


@app.command
async def repair(*, dry_run: bool = False, by: str = "", reason: str = "") -> None:
    """Go on after the database was restored to an earlier point: what the topic has beyond the log counts no more.

    Reads the whole topic, and shows which events the log does not have, and of which orders. --dry-run ends there;
    otherwise a new epoch is begun, and --by NAME and --reason TEXT are noted. Where nothing is lost nothing is changed.
    """
    async with session().opened() as container:
        _needs_relay(container)
        if dry_run:
            loss, begun = await container.find_lost_events()(), None
        else:
            mended = await container.repair_log()(by=by, reason=reason)
            loss, begun = mended.loss, mended.begun
    session().show({"loss": loss, "begun": begun}, _lost(loss))
    session().say(_said(loss))
    if begun is not None:
        session().say(
            f"epoch {begun.epoch} is begun: start relay and consumers again, those that had refused and ended"
        )


@app.command
async def republish(*, by: str, reason: str) -> None:
    """Publish all history again, in order, in a new epoch: the records on the topic are superseded.

    For a topic that was recreated, or a new cluster. Relays begin within a second. --by NAME and --reason TEXT are
    recorded.
    """
    async with session().opened() as container:
        _needs_relay(container)
        begun: Epoch = await container.republish()(by=by, reason=reason)
        known = await container.storage().epochs.all()
    session().show(begun, _table(known))
    session().say(f"epoch {begun.epoch} is begun: all events of {len(begun.kept)} buckets are published again")


@app.command
async def epochs() -> None:
    """Every epoch of the log, who began it, when and why."""
    async with session().opened() as container:
        known: Epochs = await container.storage().epochs.all()
    session().show({"epoch": known.now, "begun": known.begun}, _table(known))


def _needs_relay(container: Any) -> None:
    if container.relay_cursors() is None:
        raise NotConfigured(
            "no relay publishes here", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, and ORDERFLOW_PUBLISHING=log"
        )


def _lost(loss: Loss) -> Table:
    lost = ((each.order_id, each.events, each.in_log) for each in loss.orders)
    return rows("order", "events that only the topic has", "events in the log", of=lost)


def _said(loss: Loss) -> str:
    if not loss.any:
        return f"{loss.records} records looked at, {loss.superseded} of earlier epochs; the log has all that counts"
    return (
        f"{loss.records} records looked at; {loss.events} events of {loss.orders_concerned} orders in "
        f"{len(loss.kept)} buckets are not the log's (epoch {loss.epoch}, the topic's newest is {loss.newest})"
    )


def _table(known: Epochs) -> Table:
    first = (FIRST_EPOCH, None, None, None, None)
    begun = ((it.epoch, it.note.at, it.note.by, it.note.reason, len(it.kept)) for it in known.begun)
    return rows("epoch", "begun", "by", "reason", "buckets published again", of=[first, *begun])
