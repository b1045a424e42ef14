"""TODO."""

from rich.table import Table

from ...application.check import CheckReport
from .lag import caught_up, refuse_negative
from .session import rows, session


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


def check_table(report: CheckReport) -> Table:
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
