"""The health page lists every diagnostic of the doctor."""

from orderflow.application.health.doctor import DIAGNOSTICS
from orderflow.application.health.processes import BEAT_SECONDS, GONE_AFTER, PRUNE_AFTER

from tests.support.pages import TREE

PAGE = (TREE / "docs" / "health.md").read_text(encoding="utf-8")


def table() -> str:
    """The table of findings."""
    rows = ["| code | | what | expected | how to fix it |", "|---|---|---|---|---|"]
    rows += [f"| `{it.code}` | {it.severity} | {it.what} | {it.expected} | {it.fix} |" for it in DIAGNOSTICS]
    return "\n".join(rows) + "\n"


def test_the_page_lists_every_diagnostic() -> None:
    assert table() in PAGE, f"docs/health.md must show:\n\n{table()}"


def test_the_page_has_the_times_of_the_registry() -> None:
    times = f"every {BEAT_SECONDS:g} seconds", f"{GONE_AFTER:g} seconds", f"{PRUNE_AFTER / 60:g} minutes"

    assert [time for time in times if time not in PAGE] == []
