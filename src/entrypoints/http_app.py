"""The ASGI application of the HTTP API and the board on an open container."""

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .ops_server import checks
from .settings import BUILT_IN
from .wiring.own_consumers import own_names
from .wiring.payment_gateway import stripe_events
from .wiring.webhooks import use_cases as webhook_use_cases

if TYPE_CHECKING:
    from litestar import Litestar

    from .container import Container
    from .settings import Settings
    from .simulation.watched_day import WatchedDay


def http_app(container: "Container", *, development: bool | None = None, day: "WatchedDay | None" = None) -> "Litestar":
    """Return the application, which uses ``container`` and never closes it.

    ``development`` is whether programs of this machine choose their actor, by default as the settings say. The board
    shows ``day``, whose clock must be the container's. Raises NotConfigured without the extra ``http``.
    """
    from .http import create_app
    from .http.board import Board

    settings: Settings = container.settings()
    return create_app(
        container.use_cases(),
        tokens=container.tokens(),
        checks=checks(container),
        analytics=container.effects().analytics,
        currency=settings.currency,
        trust_actor_header=settings.http_dev if development is None else development,
        cors_origins=settings.http_cors_origins,
        max_body_bytes=settings.http_max_body_bytes,
        stopping=container.stopping().begun,
        stopped_parts=container.process_registration().stopped_parts,
        failed=partial(container.process_registration().failures.note, "api"),
        instruments=container.telemetry().instruments,
        tracing=container.tracing(),
        limits={
            "requests_per_second": settings.http_requests_per_second,
            "requests": settings.http_max_requests_per_caller,
            "streams": settings.http_max_streams_per_caller,
            "shared": settings.http_limits_url,
        },
        identity=container.oidc(),
        customers=(container.erase_customer(), container.export_customer()),
        webhooks=webhook_use_cases(container),
        prices=container.prices(),
        stripe_events=stripe_events(settings),
        streams=container.streams(),
        notifications=container.list_notifications(),
        board=Board(
            sessions=container.sessions(),
            now=container.storage().now,
            available_orders=settings.available_orders == "all",
            day=day,
        ),
        operations=operations_of(container),
    )


def operations_of(container: "Container") -> dict[str, Any]:
    """Return what the routes for operators use: fields of ``orderflow.entrypoints.http.operations.Operations``."""
    from ..application.health.status_watch import StatusWatch

    async def close() -> None:
        if (stream := container.stream_health()) is not None:
            await stream.close()

    return {
        "status": StatusWatch(container.observe(), version("orderflow-service")),
        "examine": container.examine(),
        "trace_order": container.trace_order(),
        "rollout_status": container.rollout_status(),
        "set_publishing_share": container.set_publishing_share(),
        "pause_consumer": container.pause_consumer(),
        "resume_consumer": container.pause_consumer().resume,
        "maintenance_log": container.storage().maintenance_log,
        "dead_letters": container.effects().dead_letters,
        "consumers": (*BUILT_IN, *own_names(container.settings())),
        "known_consumer": container.readers().named,
        "redrive": lambda name: container.redrive(consumer=container.consumers()[name]),
        "drop_dead_letter": container.drop_dead_letter(),
        "close": close,
    }
