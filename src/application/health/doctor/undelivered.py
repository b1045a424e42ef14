"""Checks for payments that are not settled, and for notifications and webhooks that are not sent."""

from collections.abc import Iterator
from datetime import timedelta

from ....domain.text import counted
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

OVERDUE_AFTER = timedelta(minutes=15)
"""The age at which a pending notification is overdue; the alert has the same limit."""

WEBHOOKS_OVERDUE_AFTER = timedelta(hours=1)
"""The age at which a webhook is overdue; the alert has the same limit."""

UNSETTLED = warning(
    "payments_unsettled",
    "the payment gateway has not answered a request to move money",
    expected="an answer to each request; it is looked up again at growing intervals",
    fix="`orderflow payments list`; if the gateway works again, `orderflow payments settle`",
)
DECLINED = problem(
    "refunds_declined",
    "the payment gateway declined a refund, and the money is still here",
    expected="every refund made, requested again, or paid back in another way",
    fix="`orderflow payments list`; then `orderflow payments repeat` or, once it is paid back, `resolve ID --by NAME "
    "--reason TEXT`",
)
HELD = warning(
    "authorizations_held",
    "the payment gateway declined to void an authorization that nothing will capture: the card's money stays reserved",
    expected="released at the payment gateway, or expired there",
    fix="`orderflow payments list`; release it, then `orderflow payments resolve ID --by NAME --reason TEXT`",
)
OVERDUE = warning(
    "notifications_overdue",
    f"notifications have been waiting for more than {OVERDUE_AFTER // timedelta(minutes=1)} minutes",
    expected="sent within a minute while the channel answers",
    fix="`orderflow notifications list` has the reason of each; then `resend`, or `drop`",
)
FAILED = warning(
    "notifications_failed",
    "notifications have failed for good",
    expected="each sent, or dropped by an operator",
    fix="`orderflow notifications list --status failed`; mend the contact, then `resend`, or `drop`",
)
WEBHOOKS_OVERDUE = warning(
    "webhooks_overdue",
    f"webhooks have been waiting for more than {WEBHOOKS_OVERDUE_AFTER // timedelta(minutes=1)} minutes",
    expected="accepted within seconds while the receivers answer",
    fix="`orderflow webhooks list` has the failing endpoints and why; mend the receiver, or disable the endpoint",
)
WEBHOOKS_FAILED = warning(
    "webhooks_failed",
    "webhooks have failed for good: the receiver refused one event for days, and accepted others",
    expected="each accepted, or resent by an operator",
    fix="`orderflow webhooks deliveries ENDPOINT --status failed`; mend the receiver, then `orderflow webhooks resend`",
)
WEBHOOK_ENDPOINT_STOPPED = problem(
    "webhook_endpoint_stopped",
    "webhook endpoints were disabled, because they accepted nothing for days or answered 410 Gone",
    expected="enabled, or removed",
    fix="`orderflow webhooks list`; mend the receiver, then `orderflow webhooks enable`, or `remove`",
)
DIAGNOSTICS = (
    UNSETTLED,
    DECLINED,
    HELD,
    OVERDUE,
    FAILED,
    WEBHOOKS_OVERDUE,
    WEBHOOKS_FAILED,
    WEBHOOK_ENDPOINT_STOPPED,
)


def check(observation: Observation, _: Expectations) -> Iterator[Finding]:
    if payments := observation.payments:
        if payments.unsettled and payments.oldest:
            yield UNSETTLED.found(
                f"{counted(payments.unsettled, 'attempt')}, the oldest of {payments.oldest:%Y-%m-%d %H:%M:%S} UTC"
            )
        if payments.declined_refunds:
            yield DECLINED.found(counted(payments.declined_refunds, "refund"))
        if payments.held:
            yield HELD.found(counted(payments.held, "authorization"))
    if backlog := observation.notifications:
        if backlog.oldest and observation.at - backlog.oldest > OVERDUE_AFTER:
            yield OVERDUE.found(f"{backlog.pending} pending, the oldest of {backlog.oldest:%Y-%m-%d %H:%M:%S} UTC")
        if backlog.failed:
            yield FAILED.found(counted(backlog.failed, "notification"))
    if webhooks := observation.webhooks:
        waiting = webhooks.backlog
        if waiting.oldest and observation.at - waiting.oldest > WEBHOOKS_OVERDUE_AFTER:
            yield WEBHOOKS_OVERDUE.found(
                f"{waiting.pending} pending, the oldest of {waiting.oldest:%Y-%m-%d %H:%M:%S} UTC; "
                f"endpoints that accept nothing: {webhooks.failing}, that are behind: {webhooks.behind}"
            )
        if waiting.failed:
            yield WEBHOOKS_FAILED.found(counted(waiting.failed, "webhook"))
        if webhooks.stopped:
            yield WEBHOOK_ENDPOINT_STOPPED.found(counted(webhooks.stopped, "endpoint"))
