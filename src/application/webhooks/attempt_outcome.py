"""The outcome of an attempt: what becomes of the delivery and of its endpoint."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from ...domain.errors import NotConfigured
from ..backoff import doubled
from ..redaction import error_text
from .delivery import FIRST_PAUSE, GONE, LONGEST_PAUSE, MAX_DETAIL, WebhookDelivery, WebhookResponse
from .endpoint import FAILING_AFTER, FIRST_PROBE, LONGEST_PROBE, Endpoint

logger = logging.getLogger("orderflow.webhooks")


def response_of(attempt: "asyncio.Task[WebhookResponse]") -> WebhookResponse:
    """Return the response to an attempt that is done; an error of the program counts as one failed attempt.

    Raises NotConfigured, and what ends the process.
    """
    error = attempt.exception()
    if error is None:
        return attempt.result()
    if not isinstance(error, Exception) or isinstance(error, NotConfigured):
        raise error
    logger.error("a webhook could not be sent", exc_info=error)
    return WebhookResponse(detail=f"{type(error).__name__}: {error_text(error)}"[:MAX_DETAIL])


def outcome(
    delivery: WebhookDelivery,
    endpoint: Endpoint | None,
    response: WebhookResponse,
    now: datetime,
    *,
    retried_for: timedelta,
    jitter: Callable[[], float],
) -> tuple[WebhookDelivery, Endpoint | None]:
    """Return both after an attempt; the endpoint is None if this process no longer owns it, and logs what failed.

    A delivery that failed for ``retried_for`` is given up, unless its endpoint is failing: that is not the event's
    fault. ``jitter`` returns a number from 0 to 1.
    """
    if response.accepted:
        return delivery.delivered(now, response.code), None if endpoint is None else endpoint.succeeded()

    def jittered(pause: timedelta) -> timedelta:
        return pause * (0.75 + jitter() / 2)

    wait = max(jittered(doubled(FIRST_PAUSE, LONGEST_PAUSE, delivery.attempts)), response.least_pause)
    if endpoint is not None:
        probe = jittered(doubled(FIRST_PROBE, LONGEST_PROBE, max(0, endpoint.failures + 1 - FAILING_AFTER)))
        probe = max(probe, response.least_pause)
        endpoint = endpoint.failed(now, response.detail, pause=probe)
        if endpoint.failing:
            wait = probe
    after = delivery.failed(now, response, pause=wait)
    fields = {**_log_fields(after), "detail": after.detail}
    if now - (after.failing_since or now) >= retried_for and not (endpoint is not None and endpoint.failing):
        logger.error("webhook delivery failed", extra=fields)
        return after.given_up(now), endpoint
    logger.warning("webhook delivery waits", extra=fields)
    return after, endpoint


def reason_to_disable(
    endpoint: Endpoint, codes: Collection[int | None], now: datetime, *, retried_for: timedelta
) -> str:
    """Return the reason to disable ``endpoint``, which has just answered ``codes``; empty if there is none."""
    if GONE in codes:
        return "it answered 410 Gone"
    if endpoint.failing_since is not None and now - endpoint.failing_since >= retried_for:
        return f"nothing was accepted since {endpoint.failing_since:%F %T} UTC"
    return ""


def _log_fields(delivery: WebhookDelivery) -> dict[str, object]:
    """Return what identifies ``delivery`` in a log line; the URL, which may hold a secret, is none of it."""
    return {
        "endpoint": delivery.endpoint_id,
        "order_id": delivery.order_id,
        "sequence": delivery.sequence,
        "type": delivery.type,
        "event_id": delivery.event_id,
        "attempts": delivery.attempts,
        "code": delivery.code,
    }
