"""``orderflow serve``, ``relay``, ``consume`` and ``config``: the processes of an installation, and their settings."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Annotated

from attrs import evolve
from cyclopts import Parameter

from ...domain.errors import InvalidInput
from ..settings import MAX_WORKERS, Settings, described
from ..settings_source import PREFIX
from .session import build_container, rows, session, with_consumer

logger = logging.getLogger("orderflow.processes")


def serve(
    *,
    api: Annotated[bool, Parameter(help="answer HTTP requests")] = True,
    relay: Annotated[bool | None, Parameter(help="publish to Kafka (default: if Kafka is configured)")] = None,
    consumers: Annotated[bool, Parameter(help="run the built-in consumers, and those of ORDERFLOW_CONSUMERS")] = True,
    workers: Annotated[
        int | None, Parameter(help="processes of the API, 1 to 64 (default: ORDERFLOW_HTTP_WORKERS)")
    ] = None,
    dev: Annotated[bool, Parameter(negative=(), help="believe the X-Actor of programs on this machine")] = False,
) -> None:
    """Run the API, the relay and the consumers in one process.

    --no-api, --no-relay and --no-consumers leave out what runs in another process. With several --workers the API runs
    in that many processes besides, behind one port. --dev is for development: programs of this machine need no token.
    """
    settings = session().settings
    if dev:
        settings = evolve(settings, http_dev=True)
    if workers is not None:
        if not 1 <= workers <= MAX_WORKERS:
            raise InvalidInput("--workers", f"it is {workers}", f"1 to {MAX_WORKERS}")
        settings = evolve(settings, http_workers=workers)
    with_relay = settings.uses_kafka and settings.publishing == "log" if relay is None else relay
    parts = partial(_run, settings, api=api, relay=with_relay, consumers=_all_of(settings) if consumers else ())
    if not api or settings.http_workers == 1:
        parts()
        return
    with shared_metrics():
        parts()


def relay() -> None:
    """Publish the log to Kafka, exactly once and in order, until stopped."""
    _run(session().settings, relay=True)


def consume(
    *names: Annotated[
        str, Parameter(help="a built-in one, a name of ORDERFLOW_CONSUMERS, or MODULE:FUNCTION; without any: all")
    ],
) -> None:
    """Run consumers until stopped: notifications, analytics, inventory, webhooks, and your own.

    Your own are named as in ORDERFLOW_CONSUMERS, or by MODULE:FUNCTION, such as shop.handlers:printer. Without names
    all run, and those of ORDERFLOW_CONSUMERS; webhooks only with the extra of that name.
    """
    current, chosen = session(), []
    for named in names or _all_of(current.settings):
        current, name = with_consumer(named, current)
        chosen.append(name)
    _run(current.settings, consumers=tuple(chosen))


def config() -> None:
    """Show all settings, with secrets masked.

    Each setting is an environment variable ORDERFLOW_NAME.
    """
    values = described(session().settings)
    session().show(values, rows("setting", "value", of=((PREFIX + k.upper(), v) for k, v in values.items())))


def _all_of(settings: Settings) -> tuple[str, ...]:
    from ..wiring.own_consumers import consumer_names, known_names
    from ..wiring.webhooks import installed

    return known_names(settings) if installed() else consumer_names(settings)


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Have the processes that start inside the context count together, in a folder of their own unless one is set."""
    from ...adapters.telemetry.metrics.instruments import several_workers, share

    if several_workers() is not None:
        yield
        return
    with TemporaryDirectory(prefix="orderflow-metrics-") as folder:
        share(folder)
        yield


def _run(settings: Settings, *, api: bool = False, relay: bool = False, consumers: tuple[str, ...] = ()) -> None:
    container = build_container(settings)
    logger.info("database", extra={"url": session().database(create=api)})

    from ..processes import run
    from ..shutdown import until_signalled

    async def until_stopped() -> None:
        async with until_signalled(container.stopping(), with_grace=api) as stop:
            await run(container, api=api, relay=relay, consumers=consumers, stop=stop)

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(until_stopped())
    finally:
        container.stopping().ended()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop where the extra ``http`` has installed it, which is not on Windows."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
