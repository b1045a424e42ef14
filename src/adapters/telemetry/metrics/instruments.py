"""The metrics of the catalogue, ready to be counted, on a registry of their own."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import mark_process_dead  # type: ignore[attr-defined,unused-ignore]
from prometheus_client.values import MutexValue, ValueClass

from ....domain.errors import NotConfigured
from .catalogue import CATALOGUE, Kind, Metric
from .labels import OTHER, Label

WORKERS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of prometheus_client that names the folder which several workers of one process share."""


@define(eq=False)
class Instruments:
    """Counts what ``catalogue`` lists. A label's value that is not allowed counts as OTHER, so labels stay bounded.

    It may be called from any thread. A label that is left out is an error (KeyError), as is a metric of another kind.
    Raises NotConfigured where the folder that the workers share is not there.
    """

    registry: CollectorRegistry = field(factory=lambda: CollectorRegistry(auto_describe=False))
    catalogue: Iterable[Metric] = CATALOGUE
    _metrics: dict[str, Any] = field(factory=dict, init=False)
    _children: dict[tuple[str, tuple[str, ...]], Any] = field(factory=dict, init=False)
    _seen: dict[Label, set[str]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        if (folder := several_workers()) is not None and not os.path.isdir(folder):
            raise NotConfigured(f"{WORKERS} is {folder!r}, which is no folder", "make it before the start")
        for metric in self.catalogue:
            if not metric.asked:
                self._metrics[metric.name] = _built(metric, self.registry)

    def add(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """``amount`` more of a counter, or of a gauge that goes up and down."""
        self._child(metric, labels).inc(amount)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """One more value of a histogram."""
        self._child(metric, labels).observe(value)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """What a gauge is now."""
        self._child(metric, labels).set(value)

    def bounded(self, label: Label, value: str) -> str:
        """``value``, or OTHER where the label does not allow it or has enough others."""
        if not label.allows(value):
            return OTHER
        if label.pattern:
            seen = self._seen.setdefault(label, set())
            if value not in seen and len(seen) >= label.most:
                return OTHER
            seen.add(value)
        return value

    def _child(self, metric: Metric, labels: Mapping[str, str]) -> Any:
        asked = (metric.name, tuple([labels[label.name] for label in metric.labels]))
        child = self._children.get(asked)
        if child is not None:
            return child
        built = self._metrics[metric.name]
        values = [self.bounded(label, labels[label.name]) for label in metric.labels]
        child = built.labels(*values) if values else built
        if tuple(values) == asked[1]:  # what became OTHER is not remembered: there is no end of it
            self._children[asked] = child
        return child


def _built(metric: Metric, registry: CollectorRegistry) -> Any:
    names = [label.name for label in metric.labels]
    if metric.kind is Kind.COUNTER:
        return Counter(metric.name, metric.help, names, registry=registry)
    if metric.kind is Kind.HISTOGRAM:
        return Histogram(metric.name, metric.help, names, buckets=metric.buckets, registry=registry)
    merged: Any = metric.merged
    return Gauge(metric.name, metric.help, names, multiprocess_mode=merged, registry=registry)


def several_workers() -> str | None:
    """The folder that the workers share; None where this process stands alone, as it was when Python started."""
    return os.environ.get(WORKERS) if ValueClass is not MutexValue else None


def ended() -> None:
    """This worker ends: what it alone was (its connections, its queues) is not shown any more; what it counted is."""
    if (folder := several_workers()) is not None:
        mark: Callable[[int, str], None] = mark_process_dead
        mark(os.getpid(), folder)
