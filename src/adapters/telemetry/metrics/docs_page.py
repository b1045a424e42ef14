"""``python -m orderflow.adapters.telemetry.metrics.docs_page`` prints the tables of docs/metrics.md."""

from collections.abc import Iterable

from .catalogue import CATALOGUE, Kind, Metric
from .labels import Label

KINDS = {
    "counter": "Counted since the process was started.",
    "histogram": "Single observations; `_bucket`, `_sum` and `_count` since the process was started.",
    "gauge": "The current state of this process.",
    "state": "The state of the whole installation, read at each scrape: every process shows the same.",
}
"""The kinds in the order of the page."""


def page(catalogue: Iterable[Metric] = CATALOGUE) -> str:
    """Return a table for each kind, under its own heading."""
    metrics = list(catalogue)
    parts = []
    for kind, meaning in KINDS.items():
        rows = [_row(metric) for metric in metrics if _kind(metric) == kind]
        table = "\n".join(["| metric | labels | what |", "|---|---|---|", *rows])
        parts.append(f"### {kind.capitalize()}s\n\n{meaning}\n\n{table}\n")
    return "\n".join(parts)


def _kind(metric: Metric) -> str:
    return "state" if metric.scraped else metric.kind.value


def _row(metric: Metric) -> str:
    labels = "<br>".join(_label(label) for label in metric.labels)
    bounds = f" Buckets {metric.buckets[0]:g} to {metric.buckets[-1]:g}." if metric.kind is Kind.HISTOGRAM else ""
    return f"| `{metric.name}` | {labels} | {metric.help}{bounds} |"


def _label(label: Label) -> str:
    return f"`{label.name}`: {label.source or ', '.join(label.values)}"


if __name__ == "__main__":
    print(page(), end="")
