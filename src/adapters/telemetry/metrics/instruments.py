"""The metrics of the catalogue, on a registry of their own."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.multiprocess import mark_process_dead  # type: ignore[attr-defined,unused-ignore]

from ....domain.errors import NotConfigured
from .catalogue import CATALOGUE, Kind, Metric
from .labels import OTHER, Label

WORKERS = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable of prometheus_client for the folder that several workers share."""


@define(eq=False)
class Instruments:
    """Counts what ``catalogue`` lists. A label's value that is not allowed counts as OTHER, so labels stay bounded.

    It may be called from any thread. A missing label is an error (KeyError), as is a metric of another kind.
    Raises NotConfigured if the folder that the workers share does not exist.
    """

    registry: CollectorRegistry = field(factory=lambda: CollectorRegistry(auto_describe=False))
    catalogue: Iterable[Metric] = CATALOGUE
    _metrics: dict[str, Any] = field(factory=dict, init=False)
    _children: dict[tuple[str, tuple[str, ...]], Any] = field(factory=dict, init=False)
    _known: dict[Label, set[str]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        if (folder := several_workers()) is not None and not os.path.isdir(folder):
            raise NotConfigured(f"{WORKERS} is {folder!r}, which is not a folder", "create it before the start")
        for metric in self.catalogue:
            if not metric.scraped:
                self._metrics[metric.name] = _built(metric, self.registry)

    def add(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Add ``amount`` to a counter, or to a gauge."""
        self._child(metric, labels).inc(amount)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Observe one value of a histogram."""
        self._child(metric, labels).observe(value)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._child(metric, labels).set(value)

    def bounded(self, label: Label, value: str) -> str:
        """Return ``value``, or OTHER if the label does not allow it or has too many values already."""
        if not label.allows(value):
            return OTHER
        if label.pattern:
            known = self._known.setdefault(label, set())
            if value not in known and len(known) >= label.most:
                return OTHER
            known.add(value)
        return value

    def _child(self, metric: Metric, labels: Mapping[str, str]) -> Any:
        key = (metric.name, tuple([labels[label.name] for label in metric.labels]))
        child = self._children.get(key)
        if child is not None:
            return child
        built = self._metrics[metric.name]
        bounded = [self.bounded(label, labels[label.name]) for label in metric.labels]
        child = built.labels(*bounded) if bounded else built
        if tuple(bounded) == key[1]:  # values that became OTHER are not cached, because they are unbounded
            self._children[key] = child
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
    """Return the folder that the workers share; None if this process has no other workers."""
    return os.environ.get(WORKERS) if values.ValueClass is not values.MutexValue else None


def share(folder: str) -> None:
    """Have this process, before it counts anything, and those that it starts count together in ``folder``."""
    os.environ[WORKERS] = folder
    choose: Callable[[], Any] = values.get_value_class
    values.ValueClass = choose()  # type: ignore[misc,unused-ignore]


def ended(pid: int = 0) -> None:
    """Remove the gauges of a worker that ends, by default this one (connections, queues); its counters are kept."""
    if (folder := several_workers()) is not None:
        mark: Callable[[int, str], None] = mark_process_dead
        mark(pid or os.getpid(), folder)
