"""The promises of every storage of payment attempts."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from ..application.orders.payment_attempts import (
    AttemptKind,
    AttemptStatus,
    GatewayResponse,
    OutstandingPayments,
    PaymentAttempt,
)
from ..application.orders.ports import UnitOfWork
from ..domain.errors import ConcurrentChange, OrderNotFound
from .orders import AT, eur, place, unit_of_work


class PaymentAttemptsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_an_attempt_comes_back_as_it_was_recorded(self, storage: Any) -> None:
        attempt = _attempt("O1", AttemptKind.AUTHORIZE)

        await _record(storage, attempt)

        [kept] = await storage.attempts.of_order("O1")
        assert kept == attempt
        assert str(kept.amount.amount) == "25.50"

    async def test_the_outcome_replaces_the_requested_attempt(self, storage: Any) -> None:
        requested = _attempt("O1", AttemptKind.CAPTURE)
        await _record(storage, requested)

        settled = requested.settled(GatewayResponse(True, "cap_1", "fine"), AT + timedelta(seconds=1))
        await _record(storage, settled)

        assert list(await storage.attempts.of_order("O1")) == [settled]

    async def test_attempts_of_the_same_time_are_in_the_order_of_their_requests(self, storage: Any) -> None:
        requested = [
            _attempt("O1", AttemptKind.AUTHORIZE),
            _attempt("O1", AttemptKind.CAPTURE),
            _attempt("O1", AttemptKind.REFUND, number=0),
            _attempt("O1", AttemptKind.AUTHORIZE, number=2),
        ]
        await _record(storage, *requested)
        await _record(storage, _attempt("O2", AttemptKind.AUTHORIZE))

        assert list(await storage.attempts.of_order("O1")) == requested

    async def test_an_outcome_is_never_replaced_by_a_request_that_found_none(self, storage: Any) -> None:
        requested = _attempt("O1", AttemptKind.CAPTURE)
        settled = requested.settled(GatewayResponse(True, "cap_1", "fine"), AT)
        await _record(storage, settled)

        await _record(storage, requested.unanswered("no answer", AT))

        assert list(await storage.attempts.of_order("O1")) == [settled]

    async def test_what_has_no_outcome_is_due_at_its_time_the_earliest_first(self, storage: Any) -> None:
        declined = GatewayResponse(False, "", "no")
        await _record(storage, _attempt("O1", AttemptKind.REFUND, minute=3))
        await _record(storage, _attempt("O2", AttemptKind.CAPTURE, minute=1))
        await _record(storage, _attempt("O3", AttemptKind.REFUND, minute=2).settled(declined, AT))
        await _record(storage, _attempt("O4", AttemptKind.REFUND).unanswered("no answer", AT + timedelta(minutes=2)))
        await _record(storage, _attempt("O5", AttemptKind.REFUND).unanswered("no answer", AT + timedelta(minutes=9)))
        now = AT + timedelta(minutes=3)

        due = await storage.attempts.due(now, limit=10)

        assert [attempt.order_id for attempt in due] == ["O2", "O4", "O1"]
        assert {attempt.status for attempt in due} == {AttemptStatus.REQUESTED}
        assert [attempt.order_id for attempt in await storage.attempts.due(now, limit=1)] == ["O2"]
        assert await storage.attempts.due(AT, limit=10) == []

    async def test_a_made_refund_is_due_to_be_looked_up_again_until_it_has_failed(self, storage: Any) -> None:
        approved = GatewayResponse(True, "ref_1")
        made = [_attempt(f"O{n}", AttemptKind.REFUND, minute=n).settled(approved, AT) for n in range(3)]
        await _record(storage, *made, _attempt("O4", AttemptKind.CAPTURE).settled(approved, AT))
        day = AT + timedelta(days=1)

        before = await storage.attempts.refunds_due(day - timedelta(seconds=1), limit=10)
        await _record(storage, made[0].looked_up(day))
        await _record(storage, made[1].failed(GatewayResponse(False, "ref_1", "lost"), day))
        await _record(storage, made[1])  # by a process that has not seen it fail

        assert list(before) == []
        assert list(await storage.attempts.refunds_due(day, limit=10)) == [made[2]]
        assert [a.order_id for a in await storage.attempts.refunds_due(day + timedelta(days=2), limit=1)] == ["O2"]
        [failed] = await storage.attempts.of_order("O1")
        assert failed.status is AttemptStatus.DECLINED

    async def test_what_a_clock_a_year_ahead_has_put_off_is_due_now(self, storage: Any) -> None:
        ahead = AT + timedelta(days=365)
        waiting = _attempt("O1", AttemptKind.CAPTURE).unanswered("no answer", ahead)
        made = _attempt("O2", AttemptKind.REFUND).settled(GatewayResponse(True, "ref_1"), ahead)
        await _record(storage, waiting, made)

        assert list(await storage.attempts.due(AT, limit=10)) == [waiting]
        assert list(await storage.attempts.refunds_due(AT, limit=10)) == [made]
        assert made.looked_up(AT).due_at == AT + timedelta(days=1)

    async def test_the_attempts_of_several_orders_are_read_together(self, storage: Any) -> None:
        requested = [_attempt(order_id, AttemptKind.CAPTURE, minute=minute) for minute, order_id in enumerate("ABC")]
        await _record(storage, *requested)

        assert list(await storage.attempts.of_orders({"A", "C", "D"})) == [requested[0], requested[2]]

    async def test_outstanding_is_what_got_no_response_and_what_was_not_paid_back(self, storage: Any) -> None:
        declined, approved = GatewayResponse(False, "", "no"), GatewayResponse(True, "ref_1")
        tried = _attempt("O1", AttemptKind.CAPTURE, minute=10).unanswered("no answer", AT)
        silent = _attempt("O2", AttemptKind.AUTHORIZE, minute=8)
        lost = _attempt("O3", AttemptKind.REFUND, minute=3).settled(declined, AT)
        for attempt in (
            tried,
            silent,
            lost,
            _attempt("O4", AttemptKind.CAPTURE, minute=10),
            _attempt("O5", AttemptKind.CAPTURE).settled(declined, AT),
            _attempt("O6", AttemptKind.REFUND).settled(approved, AT),
            evolve(_attempt("O7", AttemptKind.REFUND).settled(declined, AT), status=AttemptStatus.RESOLVED),
        ):
            await _record(storage, attempt)
        now = AT + timedelta(minutes=10)

        assert await storage.attempts.outstanding(now) == OutstandingPayments(
            unsettled=2, oldest=silent.requested_at, declined_refunds=1
        )
        assert list(await storage.attempts.list_outstanding(now, limit=10)) == [lost, silent, tried]
        assert list(await storage.attempts.list_outstanding(now, limit=1)) == [lost]

    async def test_an_authorization_that_waits_for_its_customer_is_due_and_not_outstanding(self, storage: Any) -> None:
        pending = GatewayResponse(False, "pi_1", pending=True, client_secret="secret")
        waiting = _attempt("O1", AttemptKind.AUTHORIZE).settled(pending, AT)
        await _record(storage, waiting)
        later = AT + timedelta(minutes=10)

        assert list(await storage.attempts.due(later, limit=10)) == [waiting]
        assert await storage.attempts.outstanding(later) == OutstandingPayments()
        assert list(await storage.attempts.list_outstanding(later, limit=10)) == []
        assert "secret" not in repr(waiting)

    async def test_an_attempt_keeps_what_was_decided_and_its_reference(self, storage: Any) -> None:
        sent = _attempt("O1", AttemptKind.AUTHORIZE)
        pending = sent.settled(GatewayResponse(False, "pi_1", pending=True), AT)
        found = sent.settled(GatewayResponse(True, "pi_1"), AT)
        held = evolve(found, status=AttemptStatus.HELD)
        await _record(storage, pending, sent.unanswered("lost", AT))
        [before] = await storage.attempts.of_order("O1")
        await _record(storage, found, held, found, sent)

        assert before.reference == "pi_1"
        assert list(await storage.attempts.of_order("O1")) == [held]

    @pytest.mark.parametrize("saved", [None, "O3"])
    async def test_a_second_decision_of_a_person_is_refused_with_all_that_comes_with_it(
        self, storage: Any, saved: str | None
    ) -> None:
        declined, again = _declined(), _attempt("O1", AttemptKind.REFUND, number=2)
        resolved = evolve(declined, status=AttemptStatus.RESOLVED)
        await _record(storage, declined, resolved)

        async def repeat() -> None:
            async with unit_of_work(storage)() as work:
                if saved is not None:
                    work.orders.save(place(id=saved).order)
                for attempt in (evolve(declined, status=AttemptStatus.REPEATED), again):
                    work.payments.record(attempt)

        with pytest.raises(ConcurrentChange):
            await repeat()

        assert list(await storage.attempts.of_order("O1")) == [resolved]
        with pytest.raises(OrderNotFound):
            await storage.views.get("O3")

    async def test_one_of_two_people_decides_and_others_are_not_held_up(self, storage: Any) -> None:
        declined, other = _declined(), _attempt("O2", AttemptKind.CAPTURE)
        await _record(storage, declined)
        work, statuses = unit_of_work(storage), [AttemptStatus.RESOLVED, AttemptStatus.REPEATED]

        outcomes = await asyncio.gather(
            *(_record(storage, evolve(declined, status=status), work=work) for status in statuses),
            _record(storage, evolve(declined, status=AttemptStatus.REPEATED)),
            _record(storage, other, work=work),
            return_exceptions=True,
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes[:3]) == ["ConcurrentChange"] * 2 + ["NoneType"]
        assert outcomes[3] is None
        [decided] = await storage.attempts.of_order("O1")
        assert decided.status is [*statuses, AttemptStatus.REPEATED][outcomes.index(None)]
        assert list(await storage.attempts.of_order("O2")) == [other]

    async def test_nothing_changes_what_a_person_decided(self, storage: Any) -> None:
        void = evolve(_attempt("O1", AttemptKind.AUTHORIZE), status=AttemptStatus.HELD, reference="pi_1")
        released = evolve(void, status=AttemptStatus.RESOLVED)
        await _record(storage, void, released, void)

        assert list(await storage.attempts.of_order("O1")) == [released]

    async def test_nothing_is_outstanding_without_attempts(self, storage: Any) -> None:
        assert await storage.attempts.outstanding(AT) == OutstandingPayments()

    async def test_an_exception_inside_records_nothing(self, storage: Any) -> None:
        try:
            async with unit_of_work(storage)() as work:
                work.payments.record(_attempt("O1", AttemptKind.AUTHORIZE))
                raise RuntimeError("broken")
        except RuntimeError:
            found = await storage.attempts.of_order("O1")

        assert list(found) == []


async def _record(storage: Any, *attempts: PaymentAttempt, work: UnitOfWork | None = None) -> None:
    """Record the attempts one after the other, each in a unit of work of its own."""
    for attempt in attempts:
        async with (work or unit_of_work(storage))() as transaction:
            transaction.payments.record(attempt)


def _declined() -> PaymentAttempt:
    return _attempt("O1", AttemptKind.REFUND).settled(GatewayResponse(False, "", "no"), AT)


def _attempt(order_id: str, kind: AttemptKind, *, number: int = 1, minute: int = 0) -> PaymentAttempt:
    return PaymentAttempt(
        key=f"{order_id}:{kind}:{number}",
        order_id=order_id,
        number=number,
        kind=kind,
        amount=eur("25.50"),
        requested_at=AT + timedelta(minutes=minute),
    )
