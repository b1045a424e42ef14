"""The use-cases behind operators' commands, imported when the first of each is built.

Placing or showing an order needs none of them, and a command's start pays for every import.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from ...application.check import CheckAll
    from ...application.check.compare_order import CompareOrder
    from ...application.check.effects import CheckEffects
    from ...application.check.gateway import CheckGateway
    from ...application.check.orders_and_log import CheckOrdersAndLog
    from ...application.check.payments import CheckPayments
    from ...application.check.webhooks import CheckWebhooks
    from ...application.health.doctor import Examine
    from ...application.health.observe import Observe
    from ...application.health.rollout_status import RolloutStatus
    from ...application.health.trace_order import TraceOrder
    from ...application.notifications.undelivered import ChangeUndelivered
    from ...application.orders.resolve_refund import RepeatRefund, ResolveRefund
    from ...application.recovery.repair_log import FindLostEvents, RepairLog, Republish
    from ...application.recovery.skip_record import SkipRecord
    from ...application.replay.rebuild_analytics import RebuildAnalytics

P = ParamSpec("P")
T = TypeVar("T")


def deferred(load: Callable[[], Callable[P, T]]) -> Callable[P, T]:
    """Return a callable that imports the class by ``load`` and then builds an instance."""

    def build(*args: P.args, **kwargs: P.kwargs) -> T:
        return load()(*args, **kwargs)

    return build


@deferred
def check_all() -> "type[CheckAll]":
    from ...application.check import CheckAll

    return CheckAll


@deferred
def compare_order() -> "type[CompareOrder]":
    from ...application.check.compare_order import CompareOrder

    return CompareOrder


@deferred
def check_effects() -> "type[CheckEffects]":
    from ...application.check.effects import CheckEffects

    return CheckEffects


@deferred
def check_orders_and_log() -> "type[CheckOrdersAndLog]":
    from ...application.check.orders_and_log import CheckOrdersAndLog

    return CheckOrdersAndLog


@deferred
def check_gateway() -> "type[CheckGateway]":
    from ...application.check.gateway import CheckGateway

    return CheckGateway


@deferred
def check_payments() -> "type[CheckPayments]":
    from ...application.check.payments import CheckPayments

    return CheckPayments


@deferred
def check_webhooks() -> "type[CheckWebhooks]":
    from ...application.check.webhooks import CheckWebhooks

    return CheckWebhooks


@deferred
def examine() -> "type[Examine]":
    from ...application.health.doctor import Examine

    return Examine


@deferred
def observe() -> "type[Observe]":
    from ...application.health.observe import Observe

    return Observe


@deferred
def rollout_status() -> "type[RolloutStatus]":
    from ...application.health.rollout_status import RolloutStatus

    return RolloutStatus


@deferred
def trace_order() -> "type[TraceOrder]":
    from ...application.health.trace_order import TraceOrder

    return TraceOrder


@deferred
def change_undelivered() -> "type[ChangeUndelivered]":
    from ...application.notifications.undelivered import ChangeUndelivered

    return ChangeUndelivered


@deferred
def resolve_refund() -> "type[ResolveRefund]":
    from ...application.orders.resolve_refund import ResolveRefund

    return ResolveRefund


@deferred
def repeat_refund() -> "type[RepeatRefund]":
    from ...application.orders.resolve_refund import RepeatRefund

    return RepeatRefund


@deferred
def find_lost_events() -> "type[FindLostEvents]":
    from ...application.recovery.repair_log import FindLostEvents

    return FindLostEvents


@deferred
def repair_log() -> "type[RepairLog]":
    from ...application.recovery.repair_log import RepairLog

    return RepairLog


@deferred
def skip_record() -> "type[SkipRecord]":
    from ...application.recovery.skip_record import SkipRecord

    return SkipRecord


@deferred
def republish() -> "type[Republish]":
    from ...application.recovery.repair_log import Republish

    return Republish


@deferred
def rebuild_analytics() -> "type[RebuildAnalytics]":
    from ...application.replay.rebuild_analytics import RebuildAnalytics

    return RebuildAnalytics
