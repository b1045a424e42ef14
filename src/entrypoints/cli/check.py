"""``orderflow check``: compares orders, log, topic and effects."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ...application.check import CheckReport
from ...domain.errors import GatewayUnavailable, InvalidInput
from ...domain.text import counted
from .lag import caught_up, refuse_negative
from .session import rows, session

if TYPE_CHECKING:
    from rich.table import Table

MAX_DAYS = 366


async def check(
    *,
    wait: float = 0.0,
    gateway: Annotated[bool, Parameter(negative=(), help="also compare the payment gateway's own list")] = False,
    days: Annotated[int, Parameter(help="how many days back the gateway's list is read")] = 7,
) -> int:
    """Compare orders, log, topic and effects, and list every difference. Exits with 1 if there is any.

    --wait SECONDS first lets relay and consumers catch up, at most that long.
    """
    refuse_negative(wait)
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput("days", f"it is {days}", f"1 to {MAX_DAYS}")
    async with session().opened() as container:
        await caught_up(container, wait)
        report = await container.check()()
        try:
            if gateway:
                await container.check_gateway()(report, days=days)
        except GatewayUnavailable:
            _show(report)
            raise
    _show(report)
    session().info("no differences" if report.clean else counted(report.found, "difference"))
    return 0 if report.clean else 1


def _show(report: CheckReport) -> None:
    session().show({"clean": report.clean, "report": report}, check_table(report))
    for comparison in report.comparisons:
        for difference in comparison.differences:
            session().info(f"{comparison.name}: {difference.where}: {difference.problem}")
        if comparison.found > len(comparison.differences):
            session().info(f"{comparison.name}: {comparison.found - len(comparison.differences)} more")
    for note in report.notes:
        session().info(f"note: {note}")


def check_table(report: CheckReport) -> "Table":
    """Return a table of the comparisons, each with its number of differences."""
    return rows(
        "comparison",
        "compared",
        "differences",
        of=(
            (c.name, "skipped: " + c.skipped if c.skipped else f"{c.compared} {c.unit}", "" if c.skipped else c.found)
            for c in report.comparisons
        ),
    )
