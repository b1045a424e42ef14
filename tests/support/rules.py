"""The rules of deploy/prometheus as data, and what an expression may name."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen
from orderflow.adapters.telemetry.metrics.catalogue import CATALOGUE, Kind, Metric

from .promql import names

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
OF_A_TARGET = {"job", "instance", "part"}
"""The labels that Prometheus gives to everything it scrapes, by deploy/prometheus/prometheus.yml."""
OF_PROMETHEUS = {"up": OF_A_TARGET, "ALERTS": {"alertname", "alertstate", "severity"}}


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule, in its order."""
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


@frozen
class Known:
    """All series that there can be, with their labels."""

    labels: Mapping[str, set[str]]
    metrics: Mapping[str, Metric]

    @classmethod
    @cache
    def now(cls) -> "Known":
        """Of the catalogue, of Prometheus itself, and of the recording rules."""
        series = {name: metric for metric in CATALOGUE for name in _series(metric)}
        labels = dict(OF_PROMETHEUS)
        for name, metric in series.items():
            buckets = {"le"} if name != metric.name and name.endswith("_bucket") else set()
            labels[name] = {label.name for label in metric.labels} | OF_A_TARGET | buckets
        for rule in rules():
            if "record" in rule:
                own = set(rule.get("labels", {})) | names(rule["expr"]).labels
                labels[rule["record"]] = labels.get(rule["record"], set()) | own
        return cls(labels, series)

    def faults(self, expression: str) -> list[str]:
        """Return the series, labels and values of labels in an expression that do not exist."""
        found = names(expression)
        unknown = [f"no metric {name}" for name in found.metrics if name not in self.labels]
        for name, labels in found.metrics.items():
            unknown += [f"{name} has no label {label}" for label in labels - self.labels.get(name, labels)]
        of_any = {label for name in found.metrics for label in self.labels.get(name, set())}
        unknown += [f"no label {label}" for label in found.labels - of_any]
        return unknown + [
            f"{label} is never {value!r}"
            for label, value in found.values
            if not any(self._may_be(name, label, value) for name, labels in found.metrics.items() if label in labels)
        ]

    def _may_be(self, name: str, label: str, value: str) -> bool:
        metric = self.metrics.get(name)
        mine = [one for one in metric.labels if one.name == label] if metric else []
        return all(one.allows(value) for one in mine)


def _series(metric: Metric) -> Iterator[str]:
    """The names under which a metric is scraped."""
    if metric.kind is Kind.HISTOGRAM:
        yield from (f"{metric.name}_{end}" for end in ("bucket", "sum", "count"))
    else:
        yield metric.name
