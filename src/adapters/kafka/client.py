"""librdkafka's clients with our properties, their log lines in our log, each driven from one thread."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf
from time import monotonic
from typing import Any, ParamSpec, TypeVar

import structlog
from attrs import define, field
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined,unused-ignore]

from ...domain.errors import InvalidInput, StreamUnavailable
from .client_errors import ClientErrors
from .settings import KafkaSettings

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", "ReportingProducer", "ReportingConsumer", "ReportingAdmin")

BACKEND = "Kafka"
_LEADERLESS = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
    }
)
_FIRST_LOOK = 1.0
STATISTICS_MS = "5000"
_COORDINATING = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
_PREFERRED = {"client.id": "orderflow", "log_level": "5", "reconnect.backoff.max.ms": "1000"}


@define
class ClientLog:
    """What librdkafka says, as our log lines. It writes them to standard error otherwise.

    A client that goes on about one matter (an unreachable broker, many times a second) is quoted every ``every``
    seconds; ``more`` counts what it said in between.
    """

    every: float = 10.0
    _logger: Any = field(factory=lambda: structlog.get_logger("orderflow.kafka"))
    _said: dict[tuple[str, str], tuple[float, int]] = field(factory=dict, init=False)

    def log(self, level: int, _format: str, facility: str, client: str, line: str) -> None:
        if facility == "CONFWARN" and "will be ignored by this" in line:
            return  # one property list serves producers and consumers
        last, more = self._said.get((facility, client), (-inf, 0))
        if monotonic() - last < self.every:
            self._said[facility, client] = (last, more + 1)
            return
        self._said[facility, client] = (monotonic(), 0)
        self._logger.log(level, "kafka client", facility=facility, client=client, line=line, more=more)


class ReportingProducer(Producer):
    """One that keeps what it complains of by itself, as the two below."""

    client_errors: ClientErrors


class ReportingConsumer(Consumer):
    client_errors: ClientErrors


class ReportingAdmin(AdminClient):
    client_errors: ClientErrors


Client = ReportingProducer | ReportingConsumer | ReportingAdmin


def producer(
    settings: KafkaSettings, ours: Mapping[str, str], preferred: Mapping[str, str], *, watched_as: str = ""
) -> ReportingProducer:
    """A client that is ``watched_as`` something tells its statistics, whenever it is polled.

    Raises InvalidInput for a property that librdkafka does not take.
    """
    return _built(ReportingProducer, settings, ours, preferred, watched_as=watched_as)


def consumer(
    settings: KafkaSettings,
    ours: Mapping[str, Any],
    preferred: Mapping[str, str] | None = None,
    *,
    watched_as: str = "",
) -> ReportingConsumer:
    """A read-committed consumer that commits nothing by itself. ``watched_as``, and raises, as ``producer``."""
    always = {"isolation.level": "read_committed", "enable.auto.commit": "false", "enable.auto.offset.store": "false"}
    return _built(ReportingConsumer, settings, {**always, **ours}, preferred or {}, watched_as=watched_as)


def admin(settings: KafkaSettings, ours: Mapping[str, Any] | None = None, *, log: Any = None) -> ReportingAdmin:
    """``log`` hears what librdkafka says, instead of our log. Raises InvalidInput as ``producer``."""
    return _built(ReportingAdmin, settings, ours or {}, {}, log)


def _built(
    kind: Callable[..., C],
    settings: KafkaSettings,
    ours: Mapping[str, Any],
    preferred: Mapping[str, str],
    log: Any = None,
    watched_as: str = "",
) -> C:
    client_errors = ClientErrors(settings.properties, ours.get("error_cb"))
    watch = settings.watch if watched_as else None
    properties = {
        **_PREFERRED,
        **({"statistics.interval.ms": STATISTICS_MS} if watch else {}),
        **preferred,
        **settings.properties,
        "bootstrap.servers": settings.bootstrap_servers,
        **ours,
        "error_cb": client_errors,
        **({"stats_cb": partial(watch.statistics, watched_as)} if watch else {}),
    }
    try:
        client = kind(properties, logger=log or ClientLog())
    except KafkaException as error:
        raise InvalidInput("kafka", said(error), "librdkafka's properties and their values") from error
    client.client_errors = client_errors
    return client


def metadata(client: Client, topic: str, timeout: float) -> TopicMetadata:
    """What the cluster says of ``topic``, within ``timeout`` seconds; a login that is refused is not asked again.

    Raises KafkaException; a fault of the topic itself is in its ``error``.
    """
    first = min(timeout, _FIRST_LOOK)
    try:
        return client.list_topics(topic, timeout=first).topics[topic]
    except KafkaException:
        hear(client)
        if client.client_errors.definite or timeout <= first:
            raise
    return client.list_topics(topic, timeout=timeout - first).topics[topic]


def hear(client: Client) -> None:
    """Have ``client`` tell its complaints. A fatal one, which it would raise here, is one of them."""
    try:
        client.poll(0)
    except KafkaException as fatal:
        client.client_errors(fatal.args[0])


def said(error: KafkaException) -> str:
    """What Kafka's client complains of, with the name by which it can be looked up."""
    complaint = error.args[0]
    if isinstance(complaint, KafkaError):
        return f"{complaint.str()} ({complaint.name()})"
    return str(complaint)


def unavailable(doing: str, error: KafkaException | KafkaError, client: Client | None = None) -> StreamUnavailable:
    """``error`` in our words; ``doing`` says what could not be done, by ``client``, which may know more of it."""
    complaint = error.args[0] if isinstance(error, Exception) else error
    if client is None or not isinstance(complaint, KafkaError):
        told = said(KafkaException(complaint))
    else:
        if not isinstance(client, ReportingConsumer):  # which would be given a record, and lose it
            hear(client)
        told = client.client_errors.instead_of(complaint)
    return StreamUnavailable(BACKEND, f"{doing}: {told}")


def coordinating(error: Exception) -> bool:
    """Whether ``error`` says only that a group's coordinator is being found, or reads what it has to know."""
    return isinstance(error, KafkaException) and error.args[0].code() in _COORDINATING


def leaderless(error: Exception) -> bool:
    """Whether ``error`` says only that a partition has just been made, or its leader is changing."""
    return isinstance(error, KafkaException) and error.args[0].code() in _LEADERLESS


@define(eq=False)
class OneThread:
    """Runs blocking calls one after the other on a thread of its own, away from the event loop.

    A call whose caller was cancelled runs to its end all the same, before the next one.
    The thread begins with the first call, also with the first after ``close``.
    """

    name: str
    _pool: ThreadPoolExecutor | None = field(default=None, init=False)

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))

    def close(self) -> None:
        """End the thread after the calls that run or wait."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
