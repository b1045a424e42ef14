"""docs/metrics.md describes every metric as it is."""

from pathlib import Path

from orderflow.adapters.telemetry.metrics.catalogue import CATALOGUE
from orderflow.adapters.telemetry.metrics.docs_page import page

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_tables_are_those_of_the_catalogue() -> None:
    assert page() in DOCS.read_text(encoding="utf-8"), (
        "put what `python -m orderflow.adapters.telemetry.metrics.docs_page` prints into docs/metrics.md"
    )


def test_the_tables_leave_nothing_out() -> None:
    assert [metric.name for metric in CATALOGUE if page().count(f"| `{metric.name}` |") != 1] == []
