"""The response to a scrape: all metrics in Prometheus' format."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from .instruments import Instruments, several_workers


@frozen(eq=False)
class _Catalogued:
    """A collector's metrics without the series ``_created``, which prometheus_client adds to each of them."""

    collector: Any

    def collect(self) -> Iterator[Any]:
        for metric in self.collector.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


@frozen(eq=False)
class _States:
    """A collector of states that were read already."""

    families: Sequence[Any]

    def collect(self) -> Iterable[Any]:
        return self.families


@frozen
class Scrape:
    """Collects the metrics of this process, or of all workers if PROMETHEUS_MULTIPROC_DIR is set, and the states."""

    instruments: Instruments
    states: Callable[[], Awaitable[Sequence[Any]]]

    async def __call__(self, accept: str = "") -> tuple[bytes, str]:
        """Return the text and its content type: OpenMetrics if ``accept`` allows it, else Prometheus' own format."""
        states = _States(await self.states())
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Catalogued(self._counted()))  # type: ignore[arg-type,unused-ignore]
        registry.register(states)  # type: ignore[arg-type,unused-ignore]
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def _counted(self) -> Any:
        folder = several_workers()
        if folder is None:
            return self.instruments.registry
        return MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call,unused-ignore]
