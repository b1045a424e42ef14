"""Paying for an order."""

from datetime import timedelta

from attrs import frozen

from ...domain import refusals
from ...domain.actor import Actor, Role, check_actor
from ...domain.consent import RestaurantOrders
from ...domain.errors import (
    CommandRefused,
    ConfirmationNeeded,
    GatewayUnavailable,
    InvalidInput,
    OrderNotFound,
    VersionMismatch,
)
from ...domain.order import Change, Order
from ...domain.text import shown
from ..clock import Clock
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey
from .payment_attempts import (
    ANSWERED_WITHIN,
    GIVEN_UP_AFTER,
    NEVER_RECEIVED,
    RESENT_WITHIN,
    AttemptKind,
    AttemptStatus,
    GatewayResponse,
    PaymentAttempt,
)
from .ports import OrderQueries, PaymentAttempts, PaymentGateway
from .settle_payments import CASHIER, SettlePayments


@frozen
class RecordPayment:
    """Records that cash was received, or charges a card through the gateway: authorize, then capture.

    With ``paid``, the payment was made, or failed, outside of the gateway, and nothing is charged; for cards, only an
    admin may record that. Every attempt and its key is stored before the gateway is called; an attempt whose outcome is
    unknown is sent again with the same key. A declined card is a result, not an error: the order is returned with
    payment ``failed``. A payment that was captured while the order was being cancelled is refunded. No money moves
    before ``expected_version``, if given, was compared with the order's.
    Raises what ChangeOrder raises, GatewayUnavailable (retry: a charge is made once), and ConfirmationNeeded if the
    customer has to confirm the payment elsewhere; then it is requested again.
    """

    change_order: ChangeOrder
    views: OrderQueries
    attempts: PaymentAttempts
    gateway: PaymentGateway
    settle_payments: SettlePayments
    clock: Clock
    restaurants: RestaurantOrders = RestaurantOrders.NONE

    async def __call__(
        self,
        order_id: str,
        *,
        by: Actor,
        paid: bool | None = None,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        if not isinstance(paid, bool | None):
            raise InvalidInput("paid", f"it is {shown(paid)}", "True, False, or none to charge the card")
        check_actor(by)
        order = await self.views.get(order_id)
        if not order.visible_to(by):
            raise OrderNotFound(order_id)
        card = order.payment.by_card
        if paid is not None and card and by.role is not Role.ADMIN:
            raise refusals.may_not_record(order, by)
        if card and paid:
            await self._ask_about_charges(order)
            recorded = await self._record(order_id, True, by, expected_version, idempotency)
            await self.settle_payments.void_open(order_id)
            return recorded
        if card and paid is None and self._charged(order, by).events:
            _check_version(order, expected_version)
            order.check_may_charge()
            return await self._charge(order, by, expected_version, idempotency)
        return await self._record(order_id, paid is not False, by, expected_version, idempotency)

    def _charged(self, order: Order, by: Actor) -> Change:
        return order.record_payment(paid=True, by=by, at=self.clock(), restaurants=self.restaurants)

    async def _record(
        self,
        order_id: str,
        paid: bool,
        by: Actor,
        expected_version: int | None,
        idempotency: IdempotencyKey | None,
    ) -> Order:
        change = await self.change_order(
            order_id,
            lambda order: order.record_payment(paid=paid, by=by, at=self.clock(), restaurants=self.restaurants),
            by=by,
            expected_version=expected_version,
            idempotency=idempotency,
        )
        return change.order

    async def _charge(
        self, order: Order, by: Actor, expected_version: int | None, idempotency: IdempotencyKey | None
    ) -> Order:
        """Store each response of the gateway together with the next request; the last one together with the order."""
        known, number = await self._round(order)
        authorization = known.get(AttemptKind.AUTHORIZE) or self._authorization(order, number)
        if authorization.status is AttemptStatus.REQUESTED:
            authorization = await self._authorize(order, authorization)
        if authorization.status is AttemptStatus.DECLINED:
            return await self.settle_payments.record_decline(
                authorization, expected_version=expected_version, idempotency=idempotency
            )
        capture = known.get(AttemptKind.CAPTURE)
        unsettled = capture is None or capture.status is AttemptStatus.REQUESTED
        if unsettled and await self._is_paid_meanwhile(authorization, by, expected_version):
            await self.settle_payments.keep(authorization)
            await self.settle_payments.void_open(order.id)
            return await self._record(order.id, True, CASHIER, None, idempotency)
        return await self.settle_payments.capture(authorization, capture, idempotency)

    async def _authorize(self, order: Order, authorization: PaymentAttempt) -> PaymentAttempt:
        """Return the authorization with its outcome. Raises ConfirmationNeeded if the customer has to confirm it."""
        age = self.settle_payments.attempt_clock() - authorization.requested_at
        if authorization.unconfirmed or age >= RESENT_WITHIN:
            request = self._look_up(authorization, age)
        else:
            await self.settle_payments.keep(authorization)
            request = self.gateway.authorize(
                order_id=order.id,
                card_token=order.payment.card_token or "",
                amount=order.total,
                key=authorization.key,
            )
        response: list[GatewayResponse] = []

        async def noted() -> GatewayResponse:
            answer = await request
            response.append(answer)
            return answer

        outcome = await self.settle_payments.requested(authorization, noted())
        if outcome.unconfirmed:
            await self.settle_payments.keep(outcome)
            await self.settle_payments.void_open(order.id)
            raise ConfirmationNeeded(order.id, response[0].client_secret, response[0].url)
        return outcome

    async def _look_up(self, authorization: PaymentAttempt, age: timedelta) -> GatewayResponse:
        """Return the outcome of an authorization that was requested before. Raises GatewayUnavailable."""
        found = await self.gateway.find(
            kind=AttemptKind.AUTHORIZE, key=authorization.key, reference=authorization.reference
        )
        if found is None and age >= GIVEN_UP_AFTER and not authorization.unconfirmed:
            return GatewayResponse(False, "", NEVER_RECEIVED)
        if found is None:
            raise GatewayUnavailable("payment gateway", "it does not know the payment that it was asked for")
        return found

    async def _is_paid_meanwhile(self, authorization: PaymentAttempt, by: Actor, expected_version: int | None) -> bool:
        """Return whether another request has had the order paid, so that nothing is to be captured.

        If the money may not be taken any more, the authorization is stored, and the reason is raised.
        """
        order = await self.views.get(authorization.order_id)
        try:
            _check_version(order, expected_version)
            order.check_may_pay(by=by, restaurants=self.restaurants)
        except (VersionMismatch, CommandRefused):
            await self.settle_payments.keep(authorization)
            await self.settle_payments.void_open(order.id)
            raise
        return not self.settle_payments.is_payable(order)

    async def _ask_about_charges(self, order: Order) -> None:
        """Have charges without an outcome looked up before a payment outside of the gateway is recorded.

        Raises GatewayUnavailable if one may have been captured, and GuardFailed if one was.
        """
        await self.settle_payments(order.id)
        attempts = await self.attempts.of_order(order.id)
        refunded = {a.number for a in attempts if a.kind is AttemptKind.REFUND}
        for capture in (a for a in attempts if a.kind is AttemptKind.CAPTURE):
            if capture.status is AttemptStatus.REQUESTED:
                raise GatewayUnavailable("payment gateway", f"it may have charged the card ({capture.key})")
            if capture.status is AttemptStatus.SUCCEEDED and capture.number not in refunded:
                raise refusals.charged(order)

    async def _round(self, order: Order) -> tuple[dict[AttemptKind, PaymentAttempt], int]:
        """Return the attempts of the current round, and its number."""
        attempts = await self.attempts.of_order(order.id)
        number = max((a.number for a in attempts), default=1)
        if any(a.number == number and a.status is AttemptStatus.DECLINED for a in attempts):
            number += 1
        return {a.kind: a for a in attempts if a.number == number}, number

    def _authorization(self, order: Order, number: int) -> PaymentAttempt:
        return PaymentAttempt(
            key=f"{order.id}:{AttemptKind.AUTHORIZE}:{number}",
            order_id=order.id,
            number=number,
            kind=AttemptKind.AUTHORIZE,
            amount=order.total,
            requested_at=(now := self.settle_payments.attempt_clock()),
            due_at=now + ANSWERED_WITHIN,
        )


def _check_version(order: Order, expected: int | None) -> None:
    if expected is not None and expected != order.version:
        raise VersionMismatch(order.id, expected, order.version)
