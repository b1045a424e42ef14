"""``orderflow maintenance``: the audit of manual changes."""

from collections.abc import Collection
from typing import Annotated

from cyclopts import Parameter

from ...application.maintenance.maintenance_log import MaintenanceKind
from ...domain.errors import InvalidInput
from .session import rows, session

MAX_ENTRIES = 1000


async def maintenance(
    *,
    kind: Annotated[tuple[MaintenanceKind, ...], Parameter(negative=(), help="only these kinds; may be repeated")] = (),
    limit: int = 50,
) -> None:
    """Show every manual change: of the rollout, replays, rebuilds and epochs, by whom, when and why, latest first."""
    await show_entries(kind, limit)


async def show_entries(kinds: Collection[MaintenanceKind], limit: int) -> None:
    """Print the last ``limit`` entries of these kinds, or of all. Raises InvalidInput if the limit is out of range."""
    if not 1 <= limit <= MAX_ENTRIES:
        raise InvalidInput("limit", str(limit), f"1 to {MAX_ENTRIES}")
    async with session().opened() as container:
        entries = await container.storage().maintenance_log.history(limit=limit, kinds=kinds)
    shown = ((it.note.at, it.note.by, it.kind, it.consumer, it, it.note.reason) for it in entries)
    session().show(entries, rows("time", "by", "kind", "consumer", "change", "reason", of=shown))
