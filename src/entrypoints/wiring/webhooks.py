"""The webhooks that the container builds; what sends them is imported when it is first needed."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...adapters.certificates import trusting
from ...adapters.telemetry import Instruments
from ...adapters.wakeup import LocalWakeup
from ...adapters.wire.webhook_body import webhook_body
from ...application.clock import Clock, NewId, StorageClock
from ...application.maintenance.ports import MaintenanceLog
from ...application.rollout.cached_rollout import CachedRollout
from ...application.webhooks.endpoint import WEBHOOKS
from ...application.webhooks.ports import WebhookClient, Webhooks
from ...domain.errors import NotConfigured
from ..settings import Settings
from .deferred import deferred

if TYPE_CHECKING:
    from ...adapters.webhooks.http_client import Limits
    from ...application.webhooks.change_endpoints import ChangeEndpoints
    from ...application.webhooks.resend import ResendDeliveries, SendTest
    from ...application.webhooks.send_deliveries import SendDeliveries
    from ..container import Container
    from .storage_and_consumers import ConsumerStores, Storage


resend_deliveries: "Callable[..., ResendDeliveries]" = deferred("application.webhooks.resend:ResendDeliveries")
send_test: "Callable[..., SendTest]" = deferred("application.webhooks.resend:SendTest")


def installed() -> bool:
    """Return whether the extra is installed."""
    return all(find_spec(name) is not None for name in ("httpcore", "standardwebhooks"))


def limits(settings: Settings) -> "Limits":
    """Return how webhooks are sent.

    Raises NotConfigured without the extra, InvalidInput for a file without authorities.
    """
    try:
        from ...adapters.webhooks.http_client import AUTHORITIES, Limits
    except ModuleNotFoundError as e:
        raise NotConfigured(f"webhooks need {e.name}", "pip install 'orderflow-service[webhooks]'") from e
    if settings.webhook_ca_file:
        trusting(settings.webhook_ca_file, setting=AUTHORITIES)
    return Limits(
        seconds=settings.webhook_timeout_seconds,
        private=settings.webhook_private_addresses,
        proxy=settings.webhook_proxy_url,
        authorities=settings.webhook_ca_file,
    )


def client(settings: Settings, instruments: Instruments) -> WebhookClient:
    """Return what sends webhooks. Raises NotConfigured without the extra."""
    allowed = limits(settings)
    from ...adapters.telemetry.instrumented_webhooks import InstrumentedWebhookClient
    from ...adapters.webhooks.http_client import HttpWebhookClient

    return InstrumentedWebhookClient(
        HttpWebhookClient(allowed, f"orderflow/{version('orderflow-service')}"), instruments
    )


def change_endpoints(
    settings: Settings,
    storage: "Storage",
    effects: "ConsumerStores",
    maintenance_log: MaintenanceLog,
    clock: Clock,
    now: StorageClock,
    new_id: NewId,
) -> "ChangeEndpoints":
    """Return what changes endpoints. Raises NotConfigured without the extra."""
    allowed = limits(settings)
    from ...adapters.webhooks.signing import new_secret
    from ...application.webhooks.change_endpoints import ChangeEndpoints

    return ChangeEndpoints(
        webhooks=effects.webhooks,
        store=effects.store,
        log=storage.log,
        maintenance_log=maintenance_log,
        clock=clock,
        now=now,
        new_id=new_id,
        new_secret=new_secret,
        buckets=lambda: storage.buckets,
        private=allowed.private,
    )


def send_deliveries(
    settings: Settings,
    storage: "Storage",
    effects: "ConsumerStores",
    client: WebhookClient,
    change: "ChangeEndpoints",
    now: StorageClock,
    news: LocalWakeup,
    rollout: CachedRollout,
    owner: str,
    failed: Callable[[str, BaseException], None],
) -> "SendDeliveries":
    """Return the loop that sends deliveries."""
    from ...application.webhooks.catch_up import FollowLog
    from ...application.webhooks.send_deliveries import SendDeliveries

    return SendDeliveries(
        owner=owner,
        webhooks=effects.webhooks,
        log=storage.log,
        client=client,
        body=webhook_body,
        follow=FollowLog(effects.webhooks, effects.store, storage.log, storage.cursors, now, lambda: storage.buckets),
        stop_endpoint=change.stop,
        now=now,
        wakeup=news.listener(),
        paused=partial(rollout.pauses, WEBHOOKS),
        concurrency=settings.webhook_concurrency,
        retried_for=timedelta(hours=settings.webhook_retry_hours),
        retention=timedelta(days=settings.webhook_retention_days),
        failed=partial(failed, WEBHOOKS),
    )


def use_cases(
    container: "Container",
) -> "tuple[Webhooks, ChangeEndpoints, ResendDeliveries, SendTest] | None":
    """Return the use-cases of the routes of webhooks; None without the extra."""
    if not installed():
        return None
    made = container.change_endpoints(), container.resend_deliveries(), container.send_test()
    return (container.effects().webhooks, *made)
