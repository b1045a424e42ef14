"""Settling the payment attempts whose outcome is unknown."""

import logging

from attrs import evolve, frozen

from ...domain.actor import Actor, Role
from ...domain.errors import CommandRefused, GatewayUnavailable, OrderFlowError
from ...domain.lifecycle import OrderState
from ...domain.order import Change, Order
from ..clock import Clock
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey
from .payment_attempts import GIVEN_UP_AFTER, AttemptKind, AttemptStatus, PaymentAttempt, in_time
from .ports import PaymentAttempts, PaymentGateway, Transaction, UnitOfWork

CASHIER = Actor(Role.ADMIN, "payments")
"""The actor that records the result of a charge, which another actor was permitted to request."""
AT_ONCE = 100

logger = logging.getLogger("orderflow.payments")


@frozen
class SettlePayments:
    """Settles attempts without a response: a refund is requested again, a charge is only looked up at the gateway.

    Each has a due time, which moves on after every try, so that those without a response do not block the others. A
    captured payment is recorded with its order; if the order is cancelled, it is refunded. A charge that the gateway
    does not know after GIVEN_UP_AFTER is recorded as declined.

    An order that was paid outside the gateway has nothing captured there; its refund is recorded as declined, and a
    person has to resolve it. Raises StorageUnavailable.

    ``attempt_clock`` is the time at which attempts are requested and due, in all processes: it is no simulation's.
    """

    change_order: ChangeOrder
    attempts: PaymentAttempts
    gateway: PaymentGateway
    unit_of_work: UnitOfWork
    clock: Clock
    attempt_clock: Clock

    async def __call__(self, order_id: str | None = None) -> int:
        """Settle the attempts that are due, or all of ``order_id``, and return how many were settled."""
        if order_id is None:
            found = await self.attempts.due(self.attempt_clock(), limit=AT_ONCE)
        else:
            found = [a for a in await self.attempts.of_order(order_id) if a.status is AttemptStatus.REQUESTED]
        return sum([await self._settle(attempt) for attempt in found])

    async def mark_held(self, order_id: str) -> None:
        """Mark an authorization that is not captured as held if its order is cancelled, so that a person releases it.

        This reads the order after the authorization was stored, and a cancel calls it after its commit, so that one of
        two at the same time finds both.
        """
        attempts = await self.attempts.of_order(order_id)
        captured = {a.number for a in attempts if a.kind is AttemptKind.CAPTURE}
        open_ = [
            a
            for a in attempts
            if a.kind is AttemptKind.AUTHORIZE and a.status is AttemptStatus.SUCCEEDED and a.number not in captured
        ]
        async with self.unit_of_work() as work:
            if open_ and (await work.orders.get(order_id)).state is OrderState.CANCELLED:
                for attempt in open_:
                    work.payments.record(evolve(attempt, status=AttemptStatus.HELD))

    async def record_capture(self, capture: PaymentAttempt, idempotency: IdempotencyKey | None = None) -> Order:
        """Record a capture with its response, together with the order. Raises CommandRefused if the order refuses it.

        Then the attempt is stored all the same, and what was captured is refunded.
        """

        def keep(work: Transaction, _: Change) -> None:
            work.payments.record(capture)

        paid = capture.status is AttemptStatus.SUCCEEDED
        try:
            change = await self.change_order(
                capture.order_id,
                lambda order: order.record_payment(paid=paid, by=CASHIER, at=self.clock()),
                by=CASHIER,
                idempotency=idempotency,
                also=keep,
            )
        except CommandRefused:
            if not paid:
                await self.keep(capture)
                raise
            refund = PaymentAttempt.refund_of(capture, self.attempt_clock())
            await self.keep(capture, refund)
            await self._settle(refund)
            raise
        return change.order

    async def keep(self, *attempts: PaymentAttempt) -> None:
        """Store ``attempts``."""
        async with self.unit_of_work() as work:
            for attempt in attempts:
                work.payments.record(attempt)

    async def _settle(self, attempt: PaymentAttempt) -> bool:
        """Try to settle ``attempt``, and return whether it is."""
        try:
            outcome = await (self._refund if attempt.kind is AttemptKind.REFUND else self._look_up)(attempt)
        except GatewayUnavailable as e:
            outcome = attempt.unanswered(str(e), self.attempt_clock())
        except OrderFlowError:
            raise
        except Exception as e:
            # The gateway's adapter is wrong; the other attempts must not wait for this one.
            logger.exception("the payment gateway failed", extra={"order_id": attempt.order_id})
            outcome = attempt.unanswered(f"the gateway failed: {type(e).__name__}", self.attempt_clock())
        settled = outcome.status is not AttemptStatus.REQUESTED
        if settled and outcome.kind is AttemptKind.CAPTURE:
            try:
                await self.record_capture(outcome)
            except CommandRefused as refused:
                logger.info(
                    "a payment was captured after its order was closed; it is refunded"
                    if outcome.status is AttemptStatus.SUCCEEDED
                    else "a declined payment is of no consequence to its order",
                    extra={"order_id": outcome.order_id, "error": refused.code},
                )
        else:
            await self.keep(outcome)
            if outcome.kind is AttemptKind.AUTHORIZE:
                await self.mark_held(outcome.order_id)
        if outcome.status is AttemptStatus.DECLINED and outcome.kind is AttemptKind.REFUND:
            logger.error("a refund was declined", extra={"order_id": outcome.order_id, "detail": outcome.detail})
        return settled

    async def _look_up(self, attempt: PaymentAttempt) -> PaymentAttempt:
        response = await in_time(self.gateway.find(key=attempt.key))
        now = self.attempt_clock()
        if response is not None:
            return attempt.settled(response, now)
        if now - attempt.requested_at < GIVEN_UP_AFTER:
            return attempt.unanswered("the gateway does not know the request", now)
        detail = "the gateway never received the request"
        return evolve(attempt, status=AttemptStatus.DECLINED, detail=detail, settled_at=now)

    async def _refund(self, refund: PaymentAttempt) -> PaymentAttempt:
        captured = [
            a
            for a in await self.attempts.of_order(refund.order_id)
            if a.kind is AttemptKind.CAPTURE and a.status is AttemptStatus.SUCCEEDED
        ]
        if not captured:
            return evolve(
                refund,
                status=AttemptStatus.DECLINED,
                detail="nothing was captured at the gateway; refund it where it was paid",
                settled_at=self.attempt_clock(),
            )
        capture = captured[-1].reference
        response = await in_time(self.gateway.refund(capture=capture, amount=refund.amount, key=refund.key))
        return refund.settled(response, self.attempt_clock())
