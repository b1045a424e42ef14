"""States that are read at each scrape, at a cost that does not grow with the history."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic

from attrs import define, field, frozen
from prometheus_client.core import GaugeMetricFamily

from ....application.clock import Clock
from ....application.dead_letters.ports import DeadLetters
from ....application.event_log.ports import EventLog
from ....application.event_log.records import RELAY
from ....application.health.lag import Lag
from ....application.notifications.ports import Notifications
from ....application.orders.ports import OrderQueries, PaymentAttempts
from ....application.webhooks.ports import Webhooks
from ....domain.errors import Unavailable
from ....domain.lifecycle import OrderState
from . import catalogue
from .catalogue import Metric
from .instruments import Instruments

PATIENCE = 2.0
"""Seconds that a backend may take to answer."""
PARTITIONS_KNOWN = 60.0
"""Seconds for which the number of partitions is cached."""

logger = logging.getLogger("orderflow.metrics")


@frozen
class Sample:
    """One value; ``labels`` are in the order of the metric's."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


Read = Callable[[], Awaitable[Sequence[Sample]]]


@define(eq=False)
class States:
    """Reads all states; those that a backend does not answer within ``patience`` seconds are left out and counted.

    ``lag`` makes a new Lag for each scrape. ``partitions`` reads the number of the topic's partitions; None without
    Kafka. ``shipped`` are the consumers that are shown even with a value of zero.
    """

    instruments: Instruments
    lag: Callable[[], Lag]
    log: EventLog
    orders: OrderQueries
    dead_letters: DeadLetters
    payments: PaymentAttempts
    notifications: Notifications
    webhooks: Webhooks
    clock: Clock
    shipped: tuple[str, ...]
    partitions: Callable[[], Awaitable[int]] | None = None
    patience: float = PATIENCE
    _partitions: int = field(default=0, init=False)
    _partitions_until: float = field(default=0.0, init=False)

    async def __call__(self) -> list[GaugeMetricFamily]:
        reads: list[tuple[str, Read]] = [
            ("database", self._readers),
            ("database", self._orders),
            ("database", self._dead_letters),
            ("database", self._undelivered),
            ("database", self._webhooks),
            ("database", self._log),
            ("kafka", self._by_partition),
        ]
        answers = await asyncio.gather(
            *(asyncio.wait_for(read(), self.patience) for _, read in reads), return_exceptions=True
        )
        samples: list[Sample] = []
        failed: set[str] = set()
        for (backend, _), answer in zip(reads, answers, strict=True):
            if isinstance(answer, BaseException):
                self._missing(answer)
                failed.add(backend)
            else:
                samples += answer
        for backend in failed:
            self.instruments.add(catalogue.SCRAPE_ERRORS, backend=backend)
        return self._families([*samples, Sample(catalogue.DATABASE_UP, float("database" not in failed))])

    def _missing(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            raise error
        expected = isinstance(error, Unavailable | TimeoutError)
        what = str(error) or f"no answer within {self.patience:g} s"
        logger.log(
            logging.INFO if expected else logging.ERROR,
            "a scrape leaves states out: %s",
            what,
            exc_info=None if expected else error,
        )

    async def _readers(self) -> list[Sample]:
        lag = self.lag()
        lags, oldest = await lag(), await lag.oldest()
        now = self.clock()
        samples: list[Sample] = []
        for each in lags:
            age = _age(oldest.get(each.reader), now)
            if each.reader == RELAY:
                samples += [
                    Sample(catalogue.LOG_WAITING, each.events),
                    Sample(catalogue.LOG_WAITING_AGE, age),
                    Sample(catalogue.LOG_HELD, each.held),
                ]
            else:
                reader = (each.reader,)
                samples += [
                    Sample(catalogue.LAG, each.events, reader),
                    Sample(catalogue.LAG_SECONDS, age, reader),
                    Sample(catalogue.PAUSED, float(each.paused), reader),
                ]
        return samples

    async def _orders(self) -> list[Sample]:
        found = await self.orders.still_open()
        now = self.clock()
        samples: list[Sample] = []
        for state in (state for state in OrderState if not state.terminal):
            here = found.get(state)
            samples += [
                Sample(catalogue.ORDERS, here.orders if here else 0, (state,)),
                Sample(catalogue.ORDERS_OLDEST, _age(here.since, now) if here else 0.0, (state,)),
            ]
        return samples

    async def _dead_letters(self) -> list[Sample]:
        return [
            *self._by_consumer(catalogue.PARKED, await self.dead_letters.parked()),
            *self._by_consumer(catalogue.DEAD_LETTERS, await self.dead_letters.counts()),
            *self._by_consumer(catalogue.FOREIGN, await self.dead_letters.unrecognized_counts()),
        ]

    async def _undelivered(self) -> list[Sample]:
        now = self.clock()
        payments, backlog = await self.payments.outstanding(now), await self.notifications.backlog()
        return [
            Sample(catalogue.PAYMENTS_UNSETTLED, payments.unsettled),
            Sample(catalogue.PAYMENTS_UNSETTLED_AGE, _age(payments.oldest, now)),
            Sample(catalogue.REFUNDS_DECLINED, payments.declined_refunds),
            Sample(catalogue.AUTHORIZATIONS_HELD, payments.held),
            Sample(catalogue.NOTIFICATIONS_PENDING, backlog.pending),
            Sample(catalogue.NOTIFICATIONS_PENDING_AGE, _age(backlog.oldest, now)),
            Sample(catalogue.NOTIFICATIONS_FAILED, backlog.failed),
        ]

    async def _webhooks(self) -> list[Sample]:
        now, found = self.clock(), await self.webhooks.summary()
        [state] = catalogue.WEBHOOK_ENDPOINTS.labels
        return [
            Sample(catalogue.WEBHOOKS_UNSETTLED, found.backlog.pending),
            Sample(catalogue.WEBHOOKS_UNSETTLED_AGE, _age(found.backlog.oldest, now)),
            Sample(catalogue.WEBHOOKS_FAILED, found.backlog.failed),
            *(Sample(catalogue.WEBHOOK_ENDPOINTS, getattr(found, name), (name,)) for name in state.values),
        ]

    def _by_consumer(self, metric: Metric, found: Mapping[str, int]) -> list[Sample]:
        return [Sample(metric, many, (name,)) for name, many in {**dict.fromkeys(self.shipped, 0), **found}.items()]

    async def _log(self) -> list[Sample]:
        return [Sample(catalogue.LOG_EVENTS, sum((await self.log.heads()).values()))]

    async def _by_partition(self) -> list[Sample]:
        if self.partitions is None:
            return []
        partitions = await self._cached(self.partitions)
        events = [0] * partitions
        for bucket, position in (await self.log.heads()).items():
            events[bucket % partitions] += position
        mean = sum(events) / partitions
        return [
            *(Sample(catalogue.PARTITION_EVENTS, many, (str(partition),)) for partition, many in enumerate(events)),
            Sample(catalogue.PARTITION_SKEW, max(events) / mean if mean else 0.0),
        ]

    async def _cached(self, read: Callable[[], Awaitable[int]]) -> int:
        if monotonic() >= self._partitions_until:
            if self._partitions:  # while Kafka is unavailable, only one scrape a minute waits for it
                self._partitions_until = monotonic() + PARTITIONS_KNOWN
            self._partitions = await read()
            self._partitions_until = monotonic() + PARTITIONS_KNOWN
        return self._partitions

    def _families(self, samples: Sequence[Sample]) -> list[GaugeMetricFamily]:
        """Return the families; of the values that become OTHER, the largest is shown."""
        found: dict[Metric, dict[tuple[str, ...], float]] = {}
        for each in samples:
            labels = zip(each.metric.labels, each.labels, strict=True)
            key = tuple(self.instruments.bounded(label, value) for label, value in labels)
            values = found.setdefault(each.metric, {})
            values[key] = max(each.value, values.get(key, each.value))
        families = []
        for metric, values in found.items():
            family = GaugeMetricFamily(metric.name, metric.help, labels=[label.name for label in metric.labels])
            for key, value in values.items():
                family.add_metric(key, value)
            families.append(family)
        return families


def _age(since: datetime | None, now: datetime) -> float:
    """Return seconds; 0 if it has not happened, or is in the future by this clock."""
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
