"""All use-cases of the order service, in one place."""

from attrs import frozen

from ...domain.actor import Actor
from ...domain.consent import RestaurantOrders
from ...domain.order import Order
from .assign_shipper import AssignShipper
from .cancel_order import CancelOrder
from .create_order import CreateOrder
from .get_order import GetOrder
from .idempotency import Idempotent
from .list_orders import ListOrders
from .look_up_refunds import LookUpRefunds
from .order_as_of import OrderAsOf
from .order_timeline import OrderTimeline
from .order_view import OrderView, view
from .record_payment import RecordPayment
from .refund_order import RefundOrder
from .settle_payments import SettlePayments
from .transition_order_state import TransitionOrderState


@frozen(kw_only=True)
class UseCases:
    """The use-cases of one installation."""

    create_order: CreateOrder
    get_order: GetOrder
    list_orders: ListOrders
    timeline: OrderTimeline
    as_of: OrderAsOf
    transition_order_state: TransitionOrderState
    assign_shipper: AssignShipper
    record_payment: RecordPayment
    cancel_order: CancelOrder
    refund_order: RefundOrder
    settle_payments: SettlePayments
    look_up_refunds: LookUpRefunds
    idempotent: Idempotent
    restaurants: RestaurantOrders = RestaurantOrders.NONE

    def view(self, order: Order, reader: Actor) -> OrderView:
        """Return ``order`` for ``reader``, with the reader's actions in this installation."""
        return view(order, reader, self.restaurants)
