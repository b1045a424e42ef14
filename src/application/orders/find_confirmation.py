"""Finding what a customer needs to confirm a payment elsewhere."""

from attrs import frozen

from ...domain.actor import Actor
from ...domain.consent import RestaurantOrders
from ...domain.order import Order
from .gateway_calls import found_response, other_errors_logged
from .payment_attempts import AttemptKind, GatewayResponse
from .ports import PaymentAttempts, PaymentGateway


@frozen
class FindConfirmation:
    """Returns the gateway's response to a payment that waits for its customer, with the secret or the URL for that.

    None if no payment of the order waits, or ``by`` may not have it charged. Nothing is stored. Raises
    GatewayUnavailable.
    """

    attempts: PaymentAttempts
    gateway: PaymentGateway
    restaurants: RestaurantOrders = RestaurantOrders.NONE

    async def __call__(self, order: Order, *, by: Actor) -> GatewayResponse | None:
        payable = any(action.name == "record_payment" for action in order.allowed_actions(by, self.restaurants))
        if not (payable and order.payment.by_card):
            return None
        waiting = [attempt for attempt in await self.attempts.of_order(order.id) if attempt.unconfirmed]
        if not waiting:
            return None
        with other_errors_logged(order.id):
            found = await found_response(
                self.gateway.find(kind=AttemptKind.AUTHORIZE, key=waiting[-1].key, reference=waiting[-1].reference)
            )
        return found if found is not None and found.pending else None
