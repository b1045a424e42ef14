"""``serve``, ``relay``, ``consume``, ``db``, ``topics``, ``lag``, ``check`` and ``config``: running an installation."""

from typing import Annotated

from cyclopts import Parameter

from ..container import CONSUMERS, container_for
from ..processes import run
from ..settings import PREFIX, described
from ..shutdown import until_signalled
from .session import rows, session


async def serve(
    *,
    api: Annotated[bool, Parameter(help="answer HTTP requests")] = True,
    relay: Annotated[bool | None, Parameter(help="publish to Kafka (default: where Kafka is configured)")] = None,
    consumers: Annotated[bool, Parameter(help="run the three consumers")] = True,
) -> None:
    """API, relay and consumers in one process; switch off what runs elsewhere (--no-relay, --no-consumers)."""
    settings = session().settings
    with_relay = settings.uses_kafka and settings.publishing == "log" if relay is None else relay
    container = container_for(settings)
    async with until_signalled(container.stopping(), with_grace=api) as stop:
        await run(container, api=api, relay=with_relay, consumers=CONSUMERS if consumers else (), stop=stop)


async def relay() -> None:
    """Bring events from the log to Kafka, exactly once and in order, until stopped."""
    container = container_for(session().settings)
    async with until_signalled(container.stopping()) as stop:
        await run(container, relay=True, stop=stop)


async def consume(*names: str) -> None:
    """Run the named consumers until stopped: notifications, analytics, inventory; without names, all."""
    container = container_for(session().settings)
    async with until_signalled(container.stopping()) as stop:
        await run(container, consumers=names or CONSUMERS, stop=stop)


def config() -> None:
    """All settings as they are, secrets masked; each is an environment variable ORDERFLOW_NAME."""
    shown = described(session().settings)
    session().show(shown, rows("setting", "value", of=((PREFIX + k.upper(), v) for k, v in shown.items())))
