"""Clients of librdkafka with this service's properties and log, each used from one thread."""

import asyncio
import atexit
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from math import inf
from sys import getrefcount
from threading import Lock
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from attrs import define, field
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    AdminClient,
    PartitionMetadata,
    TopicMetadata,
)

from ...domain.errors import InvalidInput, StreamUnavailable
from .client_errors import ClientErrors, error_text
from .known_brokers import KnownBrokers
from .settings import KafkaSettings

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", "ReportingProducer", "ReportingConsumer", "ReportingAdmin")

BACKEND = "Kafka"
_LEADER_UNAVAILABLE = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
    }
)
_FIRST_ATTEMPT = 1.0
STATISTICS_MS = "5000"
"""Shorter than a session, so that a client without brokers is replaced about when it has lost its partitions."""
_COORDINATOR_UNAVAILABLE = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
logger = logging.getLogger("orderflow.kafka")

_DEFAULTS = {"client.id": "orderflow", "log_level": "5", "reconnect.backoff.max.ms": "1000"}


@define
class ClientLog:
    """Logs librdkafka's lines, which would otherwise go to standard error.

    Lines of the same client and facility (an unreachable broker is reported many times a second) are logged once in
    ``every`` seconds. ``more`` is the number of lines that were left out in between.
    """

    every: float = 10.0
    _last_lines: dict[tuple[str, str], tuple[float, int]] = field(factory=dict, init=False)

    def log(self, level: int, _format: str, facility: str, client: str, line: str) -> None:
        if facility == "CONFWARN" and "will be ignored by this" in line:
            return  # one property list serves producers and consumers
        last, more = self._last_lines.get((facility, client), (-inf, 0))
        if monotonic() - last < self.every:
            self._last_lines[facility, client] = (last, more + 1)
            return
        self._last_lines[facility, client] = (monotonic(), 0)
        extra = {"facility": facility, "client": client, "line": line, "more": more}
        logger.log(level, "kafka client", extra=extra)


class ReportingProducer(Producer):
    """A producer that keeps the errors that librdkafka reports by itself, like the two classes below."""

    client_errors: ClientErrors
    brokers: KnownBrokers


class ReportingConsumer(Consumer):
    client_errors: ClientErrors
    brokers: KnownBrokers


class ReportingAdmin(AdminClient):
    client_errors: ClientErrors
    brokers: KnownBrokers
    process_id: int


Client = ReportingProducer | ReportingConsumer | ReportingAdmin


def producer(
    settings: KafkaSettings, required: Mapping[str, str], defaults: Mapping[str, str], *, statistics_name: str = ""
) -> ReportingProducer:
    """Create a producer. ``defaults`` may be overridden by the settings, ``required`` may not.

    With a ``statistics_name`` it must be polled: it reports its statistics under this name then, and notes whether it
    has lost its brokers. Raises InvalidInput for a property that librdkafka refuses.
    """
    polled = bool(statistics_name)
    return _build(ReportingProducer, settings, required, defaults, polled=polled, statistics_name=statistics_name)


def consumer(
    settings: KafkaSettings,
    required: Mapping[str, Any],
    defaults: Mapping[str, str] | None = None,
    *,
    statistics_name: str = "",
) -> ReportingConsumer:
    """Create a read-committed consumer that commits nothing by itself. It must be polled if it lives for long.

    Arguments and errors as for ``producer``.
    """
    always = {"isolation.level": "read_committed", "enable.auto.commit": "false", "enable.auto.offset.store": "false"}
    properties = {**always, **required}
    return _build(ReportingConsumer, settings, properties, defaults or {}, polled=True, statistics_name=statistics_name)


def reader(settings: KafkaSettings, defaults: Mapping[str, str]) -> ReportingConsumer:
    """Create a read-committed consumer for assigned partitions, which does not join a group."""
    required = {"group.id": "orderflow-reader", "enable.partition.eof": "true", "auto.offset.reset": "earliest"}
    return consumer(settings, required, defaults)


def admin(settings: KafkaSettings, required: Mapping[str, Any] | None = None, *, log: Any = None) -> ReportingAdmin:
    """Create an admin client. ``log`` replaces ClientLog. Raises InvalidInput, as ``producer``."""
    client = _build(ReportingAdmin, settings, required or {}, {}, log)
    client.process_id = os.getpid()
    return _admins().keep(client)


@define(eq=False)
class AdminClients:
    """Keeps each admin client until it was unused for ``seconds``, in which all its requests have ended.

    A client that was dropped with a request open would be deleted by the thread that gets the response, if a garbage
    collection happens there. That thread is the client's own, and librdkafka ends the process then.
    """

    seconds: float = 60.0
    clock: Callable[[], float] = monotonic
    _kept: list[tuple[ReportingAdmin, float | None]] = field(factory=list, init=False)
    """The clients, and since when there are no other references to them."""
    _lock: Lock = field(factory=Lock, init=False)

    def keep(self, client: ReportingAdmin) -> ReportingAdmin:
        """Keep ``client``, and delete those that were dropped long ago. Return ``client``."""
        with self._lock:
            now, kept = self.clock(), []
            while self._kept:
                each, since = self._kept.pop()
                if getrefcount(each) > _ONLY_HERE:
                    since = None
                elif since is None:
                    since = now
                if since is None or now - since < self.seconds:
                    kept.append((each, since))
            self._kept = [*kept, (client, None)]
        return client

    def close(self) -> None:
        """Delete the clients that this process has made, and end their threads.

        One that is amid a TLS handshake when the process ends uses what OpenSSL frees then, and the process is aborted.
        """
        with self._lock:
            for client, _ in self._kept:
                if client.process_id == os.getpid():  # a process that was forked has none of the threads
                    client.__exit__(None, None, None)
            self._kept = []


_ONLY_HERE = 2
"""The references that ``getrefcount`` sees to a client that only AdminClients has: a variable, and its argument."""


@cache
def _admins() -> AdminClients:
    """Return those of this process, which are closed when it ends."""
    clients = AdminClients()
    atexit.register(clients.close)
    return clients


def _build(
    kind: Callable[..., C],
    settings: KafkaSettings,
    required: Mapping[str, Any],
    defaults: Mapping[str, str],
    log: Any = None,
    *,
    polled: bool = False,
    statistics_name: str = "",
) -> C:
    client_errors, brokers = ClientErrors(settings.properties, required.get("error_cb")), KnownBrokers()
    observer = settings.observer if statistics_name else None

    def note_statistics(statistics: str) -> None:
        brokers.note(statistics)
        if observer is not None:
            observer.statistics(statistics_name, statistics)

    properties = {
        **_DEFAULTS,
        **({"statistics.interval.ms": STATISTICS_MS} if polled else {}),
        **defaults,
        **settings.properties,
        "bootstrap.servers": settings.bootstrap_servers,
        **required,
        "error_cb": client_errors,
        "throttle_cb": client_errors.throttled,
        **({"stats_cb": note_statistics} if polled else {}),
    }
    try:
        client = kind(properties, logger=log or ClientLog())
    except KafkaException as error:
        raise InvalidInput("kafka", error_text(error), "librdkafka's properties and their values") from error
    client.client_errors, client.brokers = client_errors, brokers
    return client


def metadata(client: Client, topic: str, timeout: float) -> TopicMetadata:
    """Read the metadata of ``topic`` within ``timeout`` seconds. A refused login is not retried.

    Raises KafkaException. A problem of the topic itself is in the ``error`` of the result.
    """
    first = min(timeout, _FIRST_ATTEMPT)
    try:
        return client.list_topics(topic, timeout=first).topics[topic]
    except KafkaException:
        poll_errors(client)
        if client.client_errors.is_definite or timeout <= first:
            raise
    return client.list_topics(topic, timeout=timeout - first).topics[topic]


def partitions(client: Client, topic: str, timeout: float) -> Mapping[int, PartitionMetadata]:
    """Read the partitions of ``topic``. Raises KafkaException, also if the topic does not exist."""
    described = metadata(client, topic, timeout)
    if described.error is not None:
        raise KafkaException(described.error)
    found: Mapping[int, PartitionMetadata] = described.partitions
    return found


def poll_errors(client: Client) -> None:
    """Poll ``client``, so that it reports its errors. A fatal error, which it raises here, is added to them."""
    try:
        client.poll(0)
    except KafkaException as fatal:
        client.client_errors(fatal.args[0])


def unavailable(action: str, error: KafkaException | KafkaError, client: Client | None = None) -> StreamUnavailable:
    """Translate ``error``. ``action`` is what failed. ``client`` may have reported a more exact error."""
    cause = error.args[0] if isinstance(error, Exception) else error
    if client is None or not isinstance(cause, KafkaError):
        problem = error_text(cause) if isinstance(cause, KafkaError) else str(cause)
    else:
        if not isinstance(client, ReportingConsumer):  # polling a consumer would take a record from it
            poll_errors(client)
        problem = client.client_errors.explain(cause)
    return StreamUnavailable(BACKEND, f"{action}: {problem}")


def answered(response: "Future[T]", timeout: float) -> T:
    """Return the response to a request of the admin client. Raises KafkaException, also if there is none in time."""
    try:
        return response.result(timeout)
    except TimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None


def coordinator_unavailable(error: Exception) -> bool:
    """Return whether a group's coordinator is loading or moving, so that a retry may help."""
    return isinstance(error, KafkaException) and error.args[0].code() in _COORDINATOR_UNAVAILABLE


def leader_unavailable(error: Exception) -> bool:
    """Return whether a partition is new or its leader is changing, so that a retry may help."""
    return isinstance(error, KafkaException) and error.args[0].code() in _LEADER_UNAVAILABLE


@define(eq=False)
class OneThread:
    """Runs blocking calls one after the other on a separate thread, so that they do not block the event loop.

    A call is completed before the next one even if its caller was cancelled. The thread is started by the first call,
    and by the first call after ``close``. An error of librdkafka that a call does not translate itself, such as one
    that a rebalance raises within ``poll``, is raised as StreamUnavailable.
    """

    name: str
    _pool: ThreadPoolExecutor | None = field(default=None, init=False)

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))
        except KafkaException as error:
            raise unavailable(self.name, error) from error

    def close(self) -> None:
        """End the thread after the running and the queued calls."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
