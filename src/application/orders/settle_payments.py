"""Settling the payment attempts whose outcome is unknown."""

import logging
from collections.abc import Awaitable

from attrs import evolve, frozen

from ...domain.actor import Actor, Role
from ...domain.errors import CommandRefused, GatewayUnavailable, OrderFlowError
from ...domain.order import Change, Order
from ...domain.payment import PaymentStatus
from ...domain.refusals import payment_settled
from ..clock import Clock
from .change_order import ChangeOrder
from .gateway_calls import found_response, other_errors_logged, responded
from .idempotency import IdempotencyKey
from .payment_attempts import (
    ANSWERED_WITHIN,
    CONFIRMED_WITHIN,
    GIVEN_UP_AFTER,
    NEVER_RECEIVED,
    AttemptKind,
    AttemptStatus,
    GatewayResponse,
    PaymentAttempt,
    open_authorizations,
    reference_for,
)
from .ports import PaymentAttempts, PaymentGateway, Transaction, UnitOfWork
from .record_refund import RecordRefund
from .retry import retry_on_conflict

CASHIER = Actor(Role.ADMIN, "payments")
"""The actor that records the result of a charge, which another actor was permitted to request."""
AT_ONCE = 100

logger = logging.getLogger("orderflow.payments")


@frozen
class SettlePayments:
    """Settles attempts without an outcome: refunds and voids are requested again, a charge is only looked up.

    Each has a due time, which moves on after every try, so that those without a response do not block the others. A
    captured payment is recorded with its order; if the order is cancelled or paid by something else, it is refunded. An
    authorization that nothing will capture is voided: its order was cancelled or paid by something else, its capture
    was declined, or the customer did not confirm it within CONFIRMED_WITHIN. One that the customer has confirmed is
    captured. A charge that the gateway does not know after GIVEN_UP_AFTER is recorded as declined. A refund is recorded
    with its order when the gateway has decided on it.

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

    def store_refund(self, work: Transaction, change: Change, *, cancelling: bool = False) -> None:
        """Store the refund that ``change`` asks for, if it does, with the order; it is requested afterwards."""
        if change.refund is not None:
            work.payments.record(PaymentAttempt.refund_for(change.refund, self.attempt_clock(), cancelling=cancelling))

    async def void_open(self, order_id: str) -> None:
        """Void the authorizations of an order that nothing will capture.

        This reads the order after the authorization was stored, and a cancel calls it after its commit, so that one of
        two at the same time finds both. The attempts are read again after the order, with a capture that it shows.
        """
        if not open_authorizations(await self.attempts.of_order(order_id)):
            return
        now = self.attempt_clock()
        async with self.unit_of_work() as work:
            order = await work.orders.get(order_id)
            attempts = await self.attempts.of_order(order_id)
            declined = {a.number for a in attempts if a.kind is AttemptKind.CAPTURE}
            voids = [
                PaymentAttempt.follow_up(a, AttemptKind.VOID, now)
                for a in open_authorizations(attempts)
                if not self.is_payable(order)
                or a.number in declined
                or (a.unconfirmed and now - a.requested_at >= CONFIRMED_WITHIN)
            ]
            for void in voids:
                work.payments.record(void)
        for void in voids:
            await self._settle(void)

    async def capture(
        self,
        authorization: PaymentAttempt,
        known: PaymentAttempt | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        """Capture an authorization and record it with the order; ``known`` is a capture without an outcome.

        Raises GatewayUnavailable, after the next look-up was stored, and CommandRefused as ``record_capture``.
        """
        now = self.attempt_clock()
        capture = known or PaymentAttempt.follow_up(authorization, AttemptKind.CAPTURE, now, wait=ANSWERED_WITHIN)
        if capture.status is AttemptStatus.REQUESTED:
            await self.keep(authorization, capture)
            request = self.gateway.capture(
                authorization=authorization.reference, amount=authorization.amount, key=capture.key
            )
            capture = await self.requested(capture, request)
            if capture.status is AttemptStatus.REQUESTED:
                await self.keep(capture)
                raise GatewayUnavailable("payment gateway", "it has not decided on the charge yet")
        # The money has moved: record it whichever version the caller saw, and whatever it may do now.
        return await self.record_capture(capture, idempotency)

    async def requested(self, attempt: PaymentAttempt, request: Awaitable[GatewayResponse]) -> PaymentAttempt:
        """Return ``attempt`` with the response. Raises GatewayUnavailable, after its next look-up was stored."""
        try:
            with other_errors_logged(attempt.order_id):
                response = await responded(request)
        except GatewayUnavailable as e:
            await self.keep(attempt.unanswered(str(e), self.attempt_clock()))
            raise
        return attempt.settled(response, self.attempt_clock())

    async def record_capture(self, capture: PaymentAttempt, idempotency: IdempotencyKey | None = None) -> Order:
        """Record a capture with its response, together with the order. Raises CommandRefused if the order refuses it.

        That is also if something else has paid the order. Then the attempt is stored all the same, and what was
        captured is refunded.
        """
        if capture.status is not AttemptStatus.SUCCEEDED:
            try:
                order = await self.record_decline(capture, idempotency=idempotency)
            except CommandRefused:
                await self.keep(capture)
                raise
            await self.void_open(capture.order_id)
            return order
        try:
            return await retry_on_conflict(lambda: self._take(capture, idempotency))
        except CommandRefused:
            if not await self._is_taken(capture):
                refund = PaymentAttempt.follow_up(capture, AttemptKind.REFUND, self.attempt_clock())
                await self.keep(capture, refund)
                await self._settle(refund)
            raise

    async def _take(self, capture: PaymentAttempt, idempotency: IdempotencyKey | None) -> Order:
        """Record a capture as the order's payment, once, whichever process has received its response, too."""
        async with self.unit_of_work(idempotency=idempotency) as work:
            order = await work.orders.get(capture.order_id)
            change = order.record_payment(paid=True, by=CASHIER, at=self.clock())
            # Read after the order: if this capture has paid it, both were stored together.
            if not change.events and not await self._is_taken(capture):
                raise payment_settled(order, PaymentStatus.PAID)
            work.orders.save(change.order)
            work.events.publish(*change.events)
            work.payments.record(capture)
        return change.order

    async def _is_taken(self, capture: PaymentAttempt) -> bool:
        """Return whether the outcome of a capture is stored already."""
        stored = {a.key: a.status for a in await self.attempts.of_order(capture.order_id)}
        return stored.get(capture.key) is AttemptStatus.SUCCEEDED

    async def keep(self, *attempts: PaymentAttempt) -> None:
        """Store ``attempts``."""
        async with self.unit_of_work() as work:
            for attempt in attempts:
                work.payments.record(attempt)

    async def record_decline(
        self,
        attempt: PaymentAttempt,
        *,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        """Record a declined attempt, together with the order's failed payment. Raises what ChangeOrder raises."""
        change = await self.change_order(
            attempt.order_id,
            lambda order: order.record_payment(paid=False, by=CASHIER, at=self.clock()),
            by=CASHIER,
            expected_version=expected_version,
            idempotency=idempotency,
            also=lambda work, _: work.payments.record(attempt),
        )
        return change.order

    async def _settle(self, attempt: PaymentAttempt) -> bool:
        """Try to settle ``attempt``, and return whether it is."""
        try:
            outcome = await self._outcome(attempt)
        except GatewayUnavailable as e:
            outcome = attempt.unanswered(str(e), self.attempt_clock())
        except OrderFlowError:
            raise
        except Exception as e:
            # The gateway's adapter is wrong; the other attempts must not wait for this one.
            logger.exception("the payment gateway failed", extra={"order_id": attempt.order_id})
            outcome = attempt.unanswered(f"the gateway failed: {type(e).__name__}", self.attempt_clock())
        if outcome.status is AttemptStatus.REQUESTED:
            await self.keep(outcome)
            if outcome.unconfirmed:
                await self.void_open(outcome.order_id)
            return False
        match outcome.kind:
            case AttemptKind.AUTHORIZE:
                await self._record_authorization(outcome, confirmed=attempt.unconfirmed)
            case AttemptKind.CAPTURE:
                await self._record_found_capture(outcome)
            case AttemptKind.REFUND:
                await RecordRefund(self.unit_of_work, self.attempts, self.clock)(outcome)
            case AttemptKind.VOID:
                await self._record_void(outcome)
        return True

    async def _outcome(self, attempt: PaymentAttempt) -> PaymentAttempt:
        """Ask the gateway, and return ``attempt`` with its response."""
        attempts = await self.attempts.of_order(attempt.order_id)
        about = attempt.reference or reference_for(attempt, attempts)
        if attempt.kind is AttemptKind.VOID:
            response = await responded(self.gateway.void(authorization=about, key=attempt.key))
            return attempt.settled(response, self.attempt_clock())
        if attempt.kind is AttemptKind.REFUND and not attempt.reference:
            return await self._refund(attempt, about)
        found = await found_response(self.gateway.find(kind=attempt.kind, key=attempt.key, reference=about))
        now = self.attempt_clock()
        if found is not None:
            return attempt.settled(found, now)
        if attempt.kind is AttemptKind.REFUND or now - attempt.requested_at < GIVEN_UP_AFTER:
            return attempt.unanswered("the gateway does not know the request", now)
        return evolve(attempt, status=AttemptStatus.DECLINED, detail=NEVER_RECEIVED, settled_at=now)

    async def _refund(self, refund: PaymentAttempt, capture: str) -> PaymentAttempt:
        if not capture:
            return evolve(
                refund,
                status=AttemptStatus.DECLINED,
                detail="nothing was captured at the gateway; refund it where it was paid",
                settled_at=self.attempt_clock(),
            )
        response = await responded(self.gateway.refund(capture=capture, amount=refund.amount, key=refund.key))
        return refund.settled(response, self.attempt_clock())

    async def _record_authorization(self, authorization: PaymentAttempt, *, confirmed: bool) -> None:
        """Store an authorization that was looked up. If the customer has decided on it, go on with the payment."""
        if confirmed and authorization.status is AttemptStatus.DECLINED:
            try:
                await self.record_decline(authorization)
            except CommandRefused:
                await self.keep(authorization)
            return
        await self.keep(authorization)
        await self.void_open(authorization.order_id)
        if confirmed and await self._may_capture(authorization):
            try:
                await self.capture(authorization)
            except (GatewayUnavailable, CommandRefused) as e:
                logger.info(
                    "a confirmed payment was not captured at once",
                    extra={"order_id": authorization.order_id, "error": e.code},
                )

    def is_payable(self, order: Order) -> bool:
        """Return whether a payment of the order would change it: it is neither cancelled nor paid."""
        try:
            return bool(order.record_payment(paid=True, by=CASHIER, at=self.clock()).events)
        except CommandRefused:
            return False

    async def _may_capture(self, authorization: PaymentAttempt) -> bool:
        async with self.unit_of_work() as work:
            return self.is_payable(await work.orders.get(authorization.order_id))

    async def _record_found_capture(self, capture: PaymentAttempt) -> None:
        try:
            await self.record_capture(capture)
        except CommandRefused as refused:
            logger.info(
                "a payment was captured after its order was closed; it is refunded"
                if capture.status is AttemptStatus.SUCCEEDED
                else "a declined payment is of no consequence to its order",
                extra={"order_id": capture.order_id, "error": refused.code},
            )
            if capture.status is AttemptStatus.DECLINED:
                await self.void_open(capture.order_id)

    async def _record_void(self, void: PaymentAttempt) -> None:
        """Store the outcome of a void, and what it means for the authorization.

        A void is declined if the authorization was captured at the same time; while nobody knows, it has no outcome.
        """
        attempts = await self.attempts.of_order(void.order_id)
        authorization = next((a for a in attempts if a.is_authorization_of(void)), None)
        capture = next((a for a in attempts if a.kind is AttemptKind.CAPTURE and a.number == void.number), None)
        changed = [void]
        if authorization is not None and void.status is AttemptStatus.DECLINED:
            if capture is not None and capture.status is AttemptStatus.REQUESTED:
                changed = [
                    evolve(void, status=AttemptStatus.REQUESTED, settled_at=None).unanswered(
                        "its capture has no outcome", self.attempt_clock()
                    )
                ]
            elif capture is None or capture.status is AttemptStatus.DECLINED:
                changed.append(evolve(authorization, status=AttemptStatus.HELD))
        elif authorization is not None and authorization.status is AttemptStatus.REQUESTED:
            now = self.attempt_clock()
            changed.append(
                evolve(authorization, status=AttemptStatus.DECLINED, detail="it was not confirmed", settled_at=now)
            )
        await self.keep(*changed)
