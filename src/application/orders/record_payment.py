"""Paying for an order."""

from attrs import frozen

from ...domain.actor import Actor, Role
from ...domain.errors import GuardFailed, NotPermitted, OrderNotFound
from ...domain.order import Change, Order
from ...domain.payment import PaymentMethod
from ..clock import Clock
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey
from .payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from .ports import OrderQueries, PaymentAttempts, PaymentGateway, Transaction, UnitOfWork
from .settle_refunds import SettleRefunds

CASHIER = Actor(Role.ADMIN, "payments")
"""The actor that records the result of a charge, which another actor was permitted to request."""


@frozen
class RecordPayment:
    """Records that cash was received, or charges a card through the gateway: authorize, then capture.

    With ``paid``, the payment was made, or failed, outside of the gateway, and nothing is charged; for cards, only an
    admin may record that. Every attempt and its key is stored before the gateway is called; an attempt whose outcome is
    unknown is sent again with the same key. A declined card is a result, not an error: the order is returned with
    payment ``failed``. A payment that was captured while the order was being cancelled is refunded.
    Raises what ChangeOrder raises, and GatewayUnavailable (retry: nobody is charged twice).
    """

    change_order: ChangeOrder
    views: OrderQueries
    attempts: PaymentAttempts
    gateway: PaymentGateway
    settle_refunds: SettleRefunds
    unit_of_work: UnitOfWork
    clock: Clock

    async def __call__(
        self,
        order_id: str,
        *,
        by: Actor,
        paid: bool | None = None,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        order = await self.views.get(order_id)
        if not order.visible_to(by):
            raise OrderNotFound(order_id)
        card = order.payment.method is not PaymentMethod.CASH
        if paid is not None and card and by.role is not Role.ADMIN:
            raise _only_an_admin(order, by)
        if card and paid is None and order.record_payment(paid=True, by=by, at=self.clock()).events:
            return await self._charge(order, expected_version, idempotency)
        return await self._record(order_id, paid is not False, by, expected_version, idempotency)

    async def _record(
        self,
        order_id: str,
        paid: bool,
        by: Actor,
        expected_version: int | None,
        idempotency: IdempotencyKey | None,
        *attempts: PaymentAttempt,
    ) -> Order:
        def keep(work: Transaction, _: Change) -> None:
            for attempt in attempts:
                work.payments.record(attempt)

        change = await self.change_order(
            order_id,
            lambda order: order.record_payment(paid=paid, by=by, at=self.clock()),
            by=by,
            expected_version=expected_version,
            idempotency=idempotency,
            also=keep,
        )
        return change.order

    async def _charge(self, order: Order, expected_version: int | None, idempotency: IdempotencyKey | None) -> Order:
        """Store each response of the gateway together with the next request; the last one together with the order."""
        known, number = await self._round(order)
        authorization = known.get(AttemptKind.AUTHORIZE) or self._attempt(order, AttemptKind.AUTHORIZE, number)
        if authorization.status is AttemptStatus.REQUESTED:
            await self._keep(authorization)
            token = order.payment.card_token or ""
            response = await self.gateway.authorize(card_token=token, amount=order.total, key=authorization.key)
            authorization = authorization.settled(response, self.clock())
        if authorization.status is AttemptStatus.DECLINED:
            return await self._record(order.id, False, CASHIER, expected_version, idempotency, authorization)
        capture = known.get(AttemptKind.CAPTURE) or self._attempt(order, AttemptKind.CAPTURE, number)
        if capture.status is AttemptStatus.REQUESTED:
            await self._keep(authorization, capture)
            response = await self.gateway.capture(
                authorization=authorization.reference, amount=order.total, key=capture.key
            )
            capture = capture.settled(response, self.clock())
        try:
            # The money has moved: record it whatever version the caller saw, and whatever it may do now.
            return await self._record(
                order.id, capture.status is AttemptStatus.SUCCEEDED, CASHIER, None, idempotency, capture
            )
        except GuardFailed:
            await self._keep(capture, self._attempt(order, AttemptKind.REFUND, number))
            await self.settle_refunds(order.id)
            raise

    async def _round(self, order: Order) -> tuple[dict[AttemptKind, PaymentAttempt], int]:
        """Return the attempts of the current round, and its number."""
        attempts = await self.attempts.of_order(order.id)
        number = max((a.number for a in attempts), default=1)
        if any(a.number == number and a.status is AttemptStatus.DECLINED for a in attempts):
            number += 1
        return {a.kind: a for a in attempts if a.number == number}, number

    def _attempt(self, order: Order, kind: AttemptKind, number: int) -> PaymentAttempt:
        return PaymentAttempt(
            key=f"{order.id}:{kind}:{number}",
            order_id=order.id,
            number=number,
            kind=kind,
            amount=order.total,
            requested_at=self.clock(),
        )

    async def _keep(self, *attempts: PaymentAttempt) -> None:
        async with self.unit_of_work() as work:
            for attempt in attempts:
                work.payments.record(attempt)


def _only_an_admin(order: Order, by: Actor) -> NotPermitted:
    return NotPermitted(
        order_id=order.id,
        action="record_payment",
        state=order.state,
        allowed=(),
        guard=f"{by} may not record the outcome of a card payment",
        unlock="leave the outcome out to charge the card, or act as an admin",
    )
