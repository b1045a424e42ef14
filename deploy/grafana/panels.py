"""Grafana panels, each for one metric of the catalogue or for recording rules.

The kind of the metric determines the query: the rate of a counter, the quantiles of a histogram, the value of a gauge.
Every process exports the same gauges of the whole installation, so their queries use the maximum.
"""

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from orderflow.adapters.telemetry.metrics.catalogue import Kind, Metric

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
MINE = 'part=~"$part"'
QUANTILES = (0.5, 0.95, 0.99)
UNITS = {"_seconds": "s", "_bytes": "bytes", "_ratio": "none"}

Json = dict[str, Any]


@frozen
class Panel:
    """A panel without a position. ``questions`` are pairs of an expression and its legend."""

    title: str
    kind: str
    questions: tuple[tuple[str, str], ...]
    unit: str
    says: str = ""
    limits: tuple[float, ...] = ()
    """Values from which the panel is coloured: orange, then red."""
    more: Json = field(factory=dict)
    """Options of the panel type."""

    def placed(self, number: int, x: int, y: int, width: int, height: int) -> Json:
        """Return the panel as Grafana stores it, at this position of the grid."""
        colours: list[Json] = [{"color": "green", "value": None}]
        colours += [
            {"color": colour, "value": limit} for colour, limit in zip(("orange", "red"), self.limits, strict=False)
        ]
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.says,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": colours}},
                "overrides": [],
            },
            "options": self.more,
            "targets": [
                {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
                for at, (expression, legend) in enumerate(self.questions)
            ],
        }


def of(metric: Metric, *by: str, title: str = "", per: str = "second", quantiles: Sequence[float] = QUANTILES) -> Panel:
    """Return the panel of a metric over all selected processes, grouped by some of its labels.

    ``per`` is the unit of a counter's rate, ``second`` or ``minute``.

    Raises:
        ValueError: if the metric does not have one of the labels.
    """
    if unknown := set(by) - {label.name for label in metric.labels}:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    questions: list[tuple[str, str]]
    match metric.kind:
        case Kind.COUNTER:
            rate = f"sum{_by(by)}(rate({metric.name}{{{MINE}}}[$__rate_interval]))"
            questions = [(rate if per == "second" else f"60 * {rate}", legend or per)]
            unit = "cps" if per == "second" else "cpm"
        case Kind.HISTOGRAM:
            buckets = f"sum{_by(('le', *by))}(rate({metric.name}_bucket{{{MINE}}}[$__rate_interval]))"
            questions = [(f"histogram_quantile({q}, {buckets})", f"p{q * 100:g} {legend}".strip()) for q in quantiles]
            unit = _unit(metric.name)
        case Kind.GAUGE:
            chosen = "" if metric.asked else f"{{{MINE}}}"
            questions = [(f"{_together(metric)}{_by(by)}({metric.name}{chosen})", legend or "all")]
            unit = _unit(metric.name)
    return lines(title or _title(metric.name, by), *questions, unit=unit, says=metric.help)


def lines(title: str, *questions: tuple[str, str], unit: str, says: str) -> Panel:
    """Return a panel that shows values over time."""
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True}
    return Panel(
        title,
        "timeseries",
        questions,
        unit,
        says,
        more={"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
    )


def number(
    title: str, expression: str, *, unit: str, says: str, limits: tuple[float, ...] = (), legend: str = ""
) -> Panel:
    """Return a panel that shows one current value."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
    }
    return Panel(title, "stat", ((expression, legend),), unit, says, limits, options)


def _together(metric: Metric) -> str:
    if metric.asked:
        return "max"
    return {"livemax": "max", "livemin": "min"}.get(metric.merged, "sum")


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def _unit(name: str) -> str:
    return next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "short")


def _title(name: str, by: Sequence[str]) -> str:
    words = name.removeprefix("orderflow_").removesuffix("_total").replace("_", " ")
    return words[0].upper() + words[1:] + (f" by {' and '.join(by)}" if by else "")
