"""The customer pays."""

from attrs import frozen

from ..domain.errors import GuardFailed, NotPermitted, OrderNotFound
from ..domain.lifecycle import Actor, PaymentMethod, Role
from ..domain.order import Order
from .change_order import ChangeOrder
from .payments import AttemptKind, AttemptStatus, PaymentAttempt
from .ports import Clock, OrderViews, PaymentAttempts, PaymentGateway, UnitOfWork
from .settle_refunds import SettleRefunds


@frozen
class RecordPayment:
    """Cash is noted as received; a card is charged through the gateway: authorize, then capture.

    ``paid`` given says that the payment was made, or failed, outside (for cards an admin's word), and nothing is
    charged. Every attempt and its key is stored before the gateway is called; an attempt whose outcome is not known
    is asked again with the same key. A declined card is an answer, not an error: the order comes back with payment
    ``failed``. What was captured for an order that was cancelled meanwhile is given back.
    Raises what ChangeOrder raises, and GatewayUnavailable (ask again: nobody is charged twice).
    """

    change_order: ChangeOrder
    views: OrderViews
    attempts: PaymentAttempts
    gateway: PaymentGateway
    settle_refunds: SettleRefunds
    unit_of_work: UnitOfWork
    clock: Clock

    async def __call__(
        self, order_id: str, *, by: Actor, paid: bool | None = None, expected_version: int | None = None
    ) -> Order:
        order = await self.views.get(order_id)
        if not order.visible_to(by):
            raise OrderNotFound(order_id)
        card = order.payment.method is not PaymentMethod.CASH
        if paid is not None and card and by.role is not Role.ADMIN:
            raise _only_an_admin(order, by)
        if card and paid is None and order.record_payment(paid=True, by=by, at=self.clock()).events:
            return await self._charge(order, by, expected_version)
        return await self._record(order_id, paid is not False, by, expected_version)

    async def _record(self, order_id: str, paid: bool, by: Actor, expected_version: int | None) -> Order:
        change = await self.change_order(
            order_id,
            lambda order: order.record_payment(paid=paid, by=by, at=self.clock()),
            by=by,
            expected_version=expected_version,
        )
        return change.order

    async def _charge(self, order: Order, by: Actor, expected_version: int | None) -> Order:
        attempts = await self.attempts.of_order(order.id)
        number = max((a.number for a in attempts), default=0)
        if number == 0 or any(a.number == number and a.status is AttemptStatus.DECLINED for a in attempts):
            number += 1
        known = {a.kind: a for a in attempts if a.number == number}
        outcome = await self._attempt(order, number, AttemptKind.AUTHORIZE, known)
        if outcome.status is AttemptStatus.SUCCEEDED:
            known[AttemptKind.AUTHORIZE] = outcome
            outcome = await self._attempt(order, number, AttemptKind.CAPTURE, known)
        captured = outcome.status is AttemptStatus.SUCCEEDED
        try:
            return await self._record(order.id, captured, by, expected_version if not captured else None)
        except GuardFailed:
            if captured:
                await self._give_back(order, number)
            raise

    async def _attempt(
        self, order: Order, number: int, kind: AttemptKind, known: dict[AttemptKind, PaymentAttempt]
    ) -> PaymentAttempt:
        attempt = known.get(kind) or PaymentAttempt(
            key=f"{order.id}:{kind}:{number}",
            order_id=order.id,
            number=number,
            kind=kind,
            amount=order.total,
            asked_at=self.clock(),
        )
        if attempt.status is not AttemptStatus.ASKED:
            return attempt
        await self._keep(attempt)
        if kind is AttemptKind.AUTHORIZE:
            token = order.payment.card_token or ""
            answer = await self.gateway.authorize(card_token=token, amount=order.total, key=attempt.key)
        else:
            reference = known[AttemptKind.AUTHORIZE].reference
            answer = await self.gateway.capture(authorization=reference, amount=order.total, key=attempt.key)
        settled = attempt.settled(answer, self.clock())
        await self._keep(settled)
        return settled

    async def _give_back(self, order: Order, number: int) -> None:
        await self._keep(
            PaymentAttempt(
                key=f"{order.id}:{AttemptKind.REFUND}:{number}",
                order_id=order.id,
                number=number,
                kind=AttemptKind.REFUND,
                amount=order.total,
                asked_at=self.clock(),
            )
        )
        await self.settle_refunds(order.id)

    async def _keep(self, attempt: PaymentAttempt) -> None:
        async with self.unit_of_work() as work:
            work.payments.record(attempt)


def _only_an_admin(order: Order, by: Actor) -> NotPermitted:
    return NotPermitted(
        order_id=order.id,
        action="record_payment",
        state=order.state,
        allowed=(),
        guard=f"{by} may not say how a card payment ended",
        unlock="leave the outcome out to charge the card, or ask as an admin",
    )
