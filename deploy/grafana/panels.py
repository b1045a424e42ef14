"""Panels of Grafana, each of one metric of the catalogue or of recording rules.

What a panel asks follows from the metric's kind: the rate of a counter, the quantiles of a histogram, the value of a
gauge. States of the whole installation are told alike by every process, so there the maximum is taken.
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
    """A panel that has no place yet. ``questions`` are expressions with the legend of each."""

    title: str
    kind: str
    questions: tuple[tuple[str, str], ...]
    unit: str
    says: str = ""
    limits: tuple[float, ...] = ()
    """Values from which on it is coloured: orange, then red."""
    more: Json = field(factory=dict)
    """Options of its kind."""

    def placed(self, number: int, x: int, y: int, width: int, height: int) -> Json:
        """The panel as Grafana keeps it, at that place of the grid."""
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
    """What there is to see of a metric, over all processes that are chosen, by some of its labels.

    ``per`` is the time of a counter's rate, ``second`` or ``minute``.

    :raises ValueError: for a label that the metric does not have.
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
    """Values over time."""
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
    """One value, now."""
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
