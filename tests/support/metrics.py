"""The metrics of a process, read from ``/metrics`` as Prometheus reads them."""

from collections.abc import Mapping, Sequence
from typing import Self

import httpx
from attrs import frozen
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.telemetry.metrics.catalogue import Metric
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from .waiting import eventually

Labels = Mapping[str, str]


@frozen
class Samples:
    """Every sample by the name of its series."""

    samples: Mapping[str, Sequence[tuple[Labels, float]]]

    @classmethod
    def of(cls, text: str) -> Self:
        samples: dict[str, list[tuple[Labels, float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return cls(samples)

    @classmethod
    def at(cls, url: str) -> Self:
        """The metrics of the process whose door is there."""
        answer = httpx.get(f"{url}/metrics", timeout=180)
        assert answer.status_code == 200, answer.text
        return cls.of(answer.text)

    @classmethod
    def complete(cls, url: str, *, with_topic: bool = False) -> Self:
        """Scrape as :meth:`at` until the database has answered in time; ``with_topic``, Kafka too."""

        def complete() -> Self | None:
            seen = cls.at(url)
            topic = not with_topic or catalogue.PARTITION_EVENTS.name in seen.samples
            return seen if topic and seen.total(catalogue.DATABASE_UP) else None

        seen: Self = eventually(complete, every=0.2, that=f"{url} reads all states")
        return seen

    @classmethod
    def counted(cls, instruments: Instruments) -> Self:
        """Return the metrics of this process."""
        return cls.of(generate_latest(instruments.registry).decode())

    def total(self, metric: Metric, part: str = "", /, **labels: str) -> float:
        """The sum of the series with these labels, whatever their others are; ``part`` is ``_count``, ``_sum``."""
        found = self.samples.get(metric.name + part, ())
        return sum(value for has, value in found if labels.items() <= has.items())

    def by(self, metric: Metric, label: str, part: str = "", /, **labels: str) -> dict[str, float]:
        """The sums by the values of one label; those that are 0 are left out."""
        values = {has[label] for has, _ in self.samples.get(metric.name + part, ())}
        totals = {value: self.total(metric, part, **{**labels, label: value}) for value in values}
        return {value: total for value, total in sorted(totals.items()) if total}
