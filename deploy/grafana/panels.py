"""Grafana panels, each for one metric of the catalogue or for recording rules.

The kind of the metric determines the query: the rate of a counter, the quantiles of a histogram, the value of a gauge.
Every process exports the same gauges of the whole installation, so their queries use the maximum.
"""

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from orderflow.adapters.telemetry.metrics.catalogue import Kind, Metric

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECTED = 'part=~"$part"'
QUANTILES = (0.5, 0.95, 0.99)
UNITS = {"_seconds": "s", "_bytes": "bytes", "_ratio": "none"}

Json = dict[str, Any]


@frozen
class Panel:
    """A panel without a position. ``targets`` are pairs of a PromQL expression and its legend."""

    title: str
    kind: str
    targets: tuple[tuple[str, str], ...]
    unit: str
    description: str = ""
    limits: tuple[float, ...] = ()
    """Values from which the panel is coloured: orange, then red."""
    options: Json = field(factory=dict)
    """Options of the panel type."""

    def to_json(self, number: int, x: int, y: int, width: int, height: int) -> Json:
        """Return the panel in Grafana's format, at this position of the grid."""
        colours: list[Json] = [{"color": "green", "value": None}]
        colours += [
            {"color": colour, "value": limit} for colour, limit in zip(("orange", "red"), self.limits, strict=False)
        ]
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": colours}},
                "overrides": [],
            },
            "options": self.options,
            "targets": [
                {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
                for at, (expression, legend) in enumerate(self.targets)
            ],
        }


def metric_panel(
    metric: Metric, *by: str, title: str = "", per: str = "second", quantiles: Sequence[float] = QUANTILES
) -> Panel:
    """Return the panel of a metric over all selected processes, grouped by some of its labels.

    ``per`` is the unit of a counter's rate, ``second`` or ``minute``.

    Raises:
        ValueError: if the metric does not have one of the labels.
    """
    if unknown := set(by) - {label.name for label in metric.labels}:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    targets: list[tuple[str, str]]
    match metric.kind:
        case Kind.COUNTER:
            rate = f"sum{_by_clause(by)}(rate({metric.name}{{{SELECTED}}}[$__rate_interval]))"
            targets = [(rate if per == "second" else f"60 * {rate}", legend or per)]
            unit = "cps" if per == "second" else "cpm"
        case Kind.HISTOGRAM:
            buckets = f"sum{_by_clause(('le', *by))}(rate({metric.name}_bucket{{{SELECTED}}}[$__rate_interval]))"
            targets = [(f"histogram_quantile({q}, {buckets})", f"p{q * 100:g} {legend}".strip()) for q in quantiles]
            unit = _unit(metric.name)
        case Kind.GAUGE:
            selector = "" if metric.scraped else f"{{{SELECTED}}}"
            targets = [(f"{_aggregation(metric)}{_by_clause(by)}({metric.name}{selector})", legend or "all")]
            unit = _unit(metric.name)
    return time_series(title or _title(metric.name, by), *targets, unit=unit, description=metric.help)


def time_series(title: str, *targets: tuple[str, str], unit: str, description: str) -> Panel:
    """Return a panel that shows values over time."""
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True}
    return Panel(
        title,
        "timeseries",
        targets,
        unit,
        description,
        options={"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
    )


def stat(
    title: str, expression: str, *, unit: str, description: str, limits: tuple[float, ...] = (), legend: str = ""
) -> Panel:
    """Return a panel that shows one current value."""
    stat_options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
    }
    return Panel(title, "stat", ((expression, legend),), unit, description, limits, stat_options)


def _aggregation(metric: Metric) -> str:
    if metric.scraped:
        return "max"
    return {"livemax": "max", "livemin": "min"}.get(metric.merged, "sum")


def _by_clause(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def _unit(name: str) -> str:
    return next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "short")


def _title(name: str, by: Sequence[str]) -> str:
    words = name.removeprefix("orderflow_").removesuffix("_total").replace("_", " ")
    return words[0].upper() + words[1:] + (f" by {' and '.join(by)}" if by else "")
