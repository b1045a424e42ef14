"""The promises of every storage of payment attempts."""

from datetime import timedelta
from typing import Any

from orderflow.application.orders.payment_attempts import AttemptKind, AttemptStatus, GatewayResponse, PaymentAttempt

from tests.contracts.orders import unit_of_work
from tests.unit.domain.actors import AT, eur


class PaymentAttemptsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_an_attempt_comes_back_as_it_was_recorded(self, storage: Any) -> None:
        attempt = _attempt("O1", AttemptKind.AUTHORIZE)

        await _record(storage, attempt)

        [kept] = await storage.attempts.of_order("O1")
        assert kept == attempt
        assert str(kept.amount.amount) == "25.50"

    async def test_the_outcome_replaces_the_requested_attempt(self, storage: Any) -> None:
        asked = _attempt("O1", AttemptKind.CAPTURE)
        await _record(storage, asked)

        settled = asked.settled(GatewayResponse(True, "cap_1", "fine"), AT + timedelta(seconds=1))
        await _record(storage, settled)

        assert list(await storage.attempts.of_order("O1")) == [settled]

    async def test_attempts_of_the_same_time_are_in_the_order_of_their_requests(self, storage: Any) -> None:
        asked = [
            _attempt("O1", AttemptKind.AUTHORIZE),
            _attempt("O1", AttemptKind.CAPTURE),
            _attempt("O1", AttemptKind.REFUND, number=0),
            _attempt("O1", AttemptKind.AUTHORIZE, number=2),
        ]
        for attempt in asked:
            await _record(storage, attempt)
        await _record(storage, _attempt("O2", AttemptKind.AUTHORIZE))

        assert list(await storage.attempts.of_order("O1")) == asked

    async def test_an_order_without_attempts_has_none(self, storage: Any) -> None:
        assert list(await storage.attempts.of_order("O1")) == []

    async def test_unsettled_refunds_are_those_whose_outcome_is_not_known_oldest_first(self, storage: Any) -> None:
        declined = GatewayResponse(False, "", "no")
        await _record(storage, _attempt("O1", AttemptKind.REFUND, minute=3))
        await _record(storage, _attempt("O2", AttemptKind.REFUND, minute=1))
        await _record(storage, _attempt("O3", AttemptKind.REFUND, minute=2).settled(declined, AT))
        await _record(storage, _attempt("O4", AttemptKind.CAPTURE))

        refunds = await storage.attempts.unsettled_refunds()

        assert [refund.order_id for refund in refunds] == ["O2", "O1"]
        assert {refund.status for refund in refunds} == {AttemptStatus.REQUESTED}
        assert [refund.order_id for refund in await storage.attempts.unsettled_refunds(limit=1)] == ["O2"]

    async def test_an_exception_inside_records_nothing(self, storage: Any) -> None:
        try:
            async with unit_of_work(storage)() as work:
                work.payments.record(_attempt("O1", AttemptKind.AUTHORIZE))
                raise RuntimeError("broken")
        except RuntimeError:
            found = await storage.attempts.of_order("O1")

        assert list(found) == []


async def _record(storage: Any, attempt: PaymentAttempt) -> None:
    async with unit_of_work(storage)() as work:
        work.payments.record(attempt)


def _attempt(order_id: str, kind: AttemptKind, *, number: int = 1, minute: int = 0) -> PaymentAttempt:
    return PaymentAttempt(
        key=f"{order_id}:{kind}:{number}",
        order_id=order_id,
        number=number,
        kind=kind,
        amount=eur("25.50"),
        requested_at=AT + timedelta(minutes=minute),
    )
