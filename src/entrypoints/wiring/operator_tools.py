"""The use-cases behind operators' commands, imported when the first of each is built.

Placing or showing an order needs none of them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from .deferred import deferred

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
    from ...application.replay.replay_events import ReplayEvents
    from .storage_and_consumers import ShippedTransaction

check_all: "Callable[..., CheckAll]" = deferred("application.check:CheckAll")
compare_order: "Callable[..., CompareOrder]" = deferred("application.check.compare_order:CompareOrder")
check_effects: "Callable[..., CheckEffects]" = deferred("application.check.effects:CheckEffects")
check_orders_and_log: "Callable[..., CheckOrdersAndLog]" = deferred(
    "application.check.orders_and_log:CheckOrdersAndLog"
)
check_gateway: "Callable[..., CheckGateway]" = deferred("application.check.gateway:CheckGateway")
check_payments: "Callable[..., CheckPayments]" = deferred("application.check.payments:CheckPayments")
check_webhooks: "Callable[..., CheckWebhooks]" = deferred("application.check.webhooks:CheckWebhooks")
examine: "Callable[..., Examine]" = deferred("application.health.doctor:Examine")
observe: "Callable[..., Observe]" = deferred("application.health.observe:Observe")
rollout_status: "Callable[..., RolloutStatus]" = deferred("application.health.rollout_status:RolloutStatus")
trace_order: "Callable[..., TraceOrder]" = deferred("application.health.trace_order:TraceOrder")
change_undelivered: "Callable[..., ChangeUndelivered]" = deferred(
    "application.notifications.undelivered:ChangeUndelivered"
)
resolve_refund: "Callable[..., ResolveRefund]" = deferred("application.orders.resolve_refund:ResolveRefund")
repeat_refund: "Callable[..., RepeatRefund]" = deferred("application.orders.resolve_refund:RepeatRefund")
find_lost_events: "Callable[..., FindLostEvents]" = deferred("application.recovery.repair_log:FindLostEvents")
repair_log: "Callable[..., RepairLog]" = deferred("application.recovery.repair_log:RepairLog")
skip_record: "Callable[..., SkipRecord]" = deferred("application.recovery.skip_record:SkipRecord")
republish: "Callable[..., Republish]" = deferred("application.recovery.repair_log:Republish")
rebuild_analytics: "Callable[..., RebuildAnalytics]" = deferred("application.replay.rebuild_analytics:RebuildAnalytics")
replay_events: "Callable[..., ReplayEvents[ShippedTransaction]]" = deferred(
    "application.replay.replay_events:ReplayEvents"
)
