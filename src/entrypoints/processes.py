"""Long-running processes: API, relay and consumers, alone or together, until they are stopped."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from time import monotonic

from ..application.consuming.log_source import LogEventSource
from ..application.consuming.run_consumer import RunConsumer
from ..application.orders.idempotency import DELETED_AT_ONCE
from ..application.relay.run_relay import RunRelay
from ..application.rollout.cached_rollout import REFRESH_SECONDS
from ..application.webhooks.endpoint import WEBHOOKS
from ..domain.errors import NotConfigured, Unavailable
from .consumer_loops import check_consumers, consumer_loop, sending
from .container import Container
from .http_app import http_app
from .open_files import allow_open_files
from .ops_server import ops_server
from .settings import Settings
from .supervision import Part, Supervisor
from .wiring.certificate import certificate_files
from .wiring.lifespan import listen_for_commits, opened
from .workers import WorkerPool, check_storage, work

HOUSEKEEPING_SECONDS = 5.0
FORGET_SECONDS = 60.0
"""Seconds between two looks for old personal data."""

BACKGROUND = frozenset({"housekeeping", "copying", "sending"})
"""Parts that are not started by name."""

logger = logging.getLogger("orderflow.processes")


async def run(
    container: Container, *, api: bool = False, relay: bool = False, consumers: Sequence[str] = (), stop: asyncio.Event
) -> None:
    """Open ``container``, and run the chosen parts in this process, as ``run_parts`` does."""
    async with opened(container):
        await run_parts(container, api=api, relay=relay, consumers=consumers, stop=stop)


async def run_parts(
    container: Container, *, api: bool = False, relay: bool = False, consumers: Sequence[str] = (), stop: asyncio.Event
) -> None:
    """Run these on an open container until ``stop``, as a Supervisor does: a part that fails is started again.

    The API needs neither relay nor consumers, so it continues without them. Raises the error that ended the process,
    or that of a part that is stopped in the end.
    """
    check_consumers(container, consumers)
    makers: dict[str, Callable[[], Part]] = {}
    if relay:
        makers["relay"] = partial(_relay, container)
    for name in consumers:
        makers[name] = partial(consumer_loop, container, name)
    pool: WorkerPool | None = None
    if api and container.settings().http_workers > 1:
        pool = await _worker_pool(container)
        makers["api"] = lambda: pool
    elif api:
        with suppress(Unavailable):  # then the part checks it, which waits for the database
            await _check_callers(container)
        makers["api"] = lambda: partial(_api, container)
    if consumers and (copying := container.copying()) is not None:
        makers["copying"] = lambda: copying
    if WEBHOOKS in consumers:
        makers["sending"] = partial(sending, container)
    if api or "inventory" in consumers:
        makers["housekeeping"] = lambda: partial(_housekeeping, container)

    process_registration = container.process_registration()
    for name in makers:
        if name not in BACKGROUND and not (pool and name == "api"):  # the workers register themselves
            process_registration.runs(name)
    supervisor = Supervisor(
        parts={name: partial(_made, container, name, make) for name, make in makers.items()},
        needed=frozenset({"api"}),
        background=BACKGROUND,
        registration=process_registration,
        stopping=container.stopping(),
        wake=container.news().notify,
        instruments=container.telemetry().instruments,
    )
    more_checks = {"workers": pool.ping} if pool is not None else {}
    if api and container.settings().http_dev:
        logger.warning("development mode: programs of this machine name themselves in X-Actor")
    async with ops_server(container, more_checks), process_registration.registered(container.storage().processes):
        await supervisor(stop)


def _made(container: Container, name: str, make: Callable[[], Part]) -> Part:
    """Return the part ``name``, made anew, of which the registration shows the partitions."""
    part = make()
    if name not in BACKGROUND and not isinstance(part, WorkerPool):
        container.process_registration().runs(name, _partition_owner(container, part))
    if _reads_log(part):
        listen_for_commits(container)
    return part


def _reads_log(part: Part) -> bool:
    """Return whether ``part`` reads the log itself."""
    return isinstance(part, RunRelay) or (isinstance(part, RunConsumer) and isinstance(part.source, LogEventSource))


def _partition_owner(container: Container, part: Part) -> object:
    """Return what shares partitions with other processes, if ``part`` does."""
    if isinstance(part, RunRelay):
        return container.relay_topic()
    return part.source if isinstance(part, RunConsumer) else None


def _relay(container: Container) -> RunRelay:
    settings: Settings = container.settings()
    if not settings.uses_kafka:
        raise NotConfigured("a relay needs Kafka", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS; without, none is needed")
    if settings.publishing == "direct":
        raise NotConfigured("publishing is direct, so a relay would publish again", "set ORDERFLOW_PUBLISHING=log")
    return RunRelay(
        container.publish_pending(),
        container.news().listener(),
        poll_interval=min(settings.poll_seconds, REFRESH_SECONDS),  # the share is read then, too
        failed=partial(container.process_registration().failures.note, "relay"),
    )


async def _worker_pool(container: Container) -> WorkerPool:
    """Return the workers of the API, which listen already. Raises NotConfigured, InvalidInput."""
    from .http import listeners

    settings: Settings = container.settings()
    check_storage(settings)
    if (files := certificate_files(settings)) is not None:
        files.read()  # each worker would raise the same
    await _check_callers(container)
    sockets = listeners(settings.http_host, settings.http_port, number=settings.http_workers)
    url = f"{settings.http_scheme}://{settings.http_host}:{sockets[0].getsockname()[1]}"
    return WorkerPool(
        settings,
        sockets,
        container.stopping(),
        partial(work, _api),
        on_ready=lambda: logger.info(
            "listening", extra={"url": url, "workers": settings.http_workers, "gateway": settings.gateway_name}
        ),
    )


async def _check_callers(container: Container) -> None:
    """Raise NotConfigured if everyone could call the API, or no one."""
    settings: Settings = container.settings()
    if settings.http_dev:
        if not settings.on_loopback:
            raise NotConfigured(
                f"in development mode every caller is believed, so {settings.http_host} would be open to everyone",
                "listen on 127.0.0.1, or use tokens: `orderflow tokens make`",
            )
    elif container.oidc() is None and not await container.storage().tokens.any():
        raise NotConfigured(
            "there is no token, so no one could call the API",
            "make one with `orderflow tokens make`; for development on this machine, `orderflow serve --dev`",
        )


async def _api(
    container: Container,
    stop: asyncio.Event,
    listener: socket.socket | None = None,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Run the API, on ``listener`` if it is a worker; ``on_ready`` is called then, instead of logging the address."""
    from .http import serve

    settings: Settings = container.settings()
    if listener is None:
        await _check_callers(container)
    allow_open_files(settings.http_max_connections + settings.database_pool_size)
    app = http_app(container)
    listen_for_commits(container)

    def ready(host: str, port: int) -> None:
        url = f"{settings.http_scheme}://{host}:{port}"
        container.process_registration().listens(url)
        if on_ready is not None:
            on_ready()
        else:
            logger.info("listening", extra={"url": url, "gateway": settings.gateway_name})

    await serve(
        app,
        host=settings.http_host,
        port=settings.http_port,
        stop=stop,
        on_ready=ready,
        stopping=container.stopping(),
        grace_seconds=None,  # the deadline is the process's
        listener=listener,
        tls=certificate_files(settings),
        limits={
            "connections": settings.http_max_connections,
            "per_address": settings.http_max_connections_per_address,
            "read_seconds": settings.http_read_seconds,
            "write_seconds": settings.http_write_seconds,
        },
    )


async def _housekeeping(container: Container, stop: asyncio.Event) -> None:
    """Settle payment attempts, look made refunds up again, and delete what is old in small steps.

    That is responses under idempotency keys, and personal data as the settings say. It also stores when tokens were
    used last, for the requests that used them. What is old is deleted for HOUSEKEEPING_SECONDS, then payments are next.
    """
    kept = timedelta(hours=container.settings().idempotency_hours)
    forget_at = 0.0
    answers = container.storage().answers
    while not stop.is_set():
        try:
            await container.use_cases().settle_payments()
            await container.use_cases().look_up_refunds()
            now = await container.storage().now()
            await container.tokens().note_used(now)
            expired = now - kept
            turn_ends = monotonic() + HOUSEKEEPING_SECONDS
            while not stop.is_set() and await answers.delete_before(expired) == DELETED_AT_ONCE:
                if monotonic() >= turn_ends:
                    break
            if monotonic() >= forget_at:
                forget_at = monotonic() + FORGET_SECONDS
                while not stop.is_set() and await container.forget_old_data()(now):
                    if monotonic() >= turn_ends:
                        forget_at = 0.0
                        break
        except Unavailable as e:
            container.process_registration().failures.note("housekeeping", e)
            logger.warning("housekeeping waits", extra={"error": e.code, "detail": str(e)})
        try:
            async with asyncio.timeout(HOUSEKEEPING_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
