"""Random commands by random actors over several orders: what always holds, whatever is asked."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import CommandRefused, InvalidInput
from orderflow.domain.events import EVENT_TYPES, OrderEvent
from orderflow.domain.history import apply, facts_of, fold
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.order import Change, Order
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.refund import RefundBearer

from tests.unit.domain.actors import AT, Tale, eur, line, place

actors = st.one_of(
    st.builds(Actor, st.just(Role.CUSTOMER), st.sampled_from(["C1", "C2"])),
    st.builds(Actor, st.just(Role.RESTAURANT), st.sampled_from(["R1", "R2"])),
    st.builds(Actor, st.just(Role.SHIPPER), st.sampled_from(["S1", "S2"])),
    st.builds(Actor, st.just(Role.ADMIN), st.just("A1")),
)
shippers = st.sampled_from([None, "S1", "S2", "no id"])
reasons = st.sampled_from([None, "", " ", "changed my mind", "out_of_stock", "x" * 501])
moments = st.integers(-90, 300).map(lambda seconds: timedelta(seconds=seconds))

RANK = {kind.type: number for number, kind in enumerate(EVENT_TYPES)}


class RandomLives(RuleBasedStateMachine):
    """``now`` is a clock that servers disagree about: a command may come from up to 90 seconds before the last."""

    orders: Bundle[Tale] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.now = AT
        self.tales: list[Tale] = []
        self.touched: list[Tale] = []

    def _place(self, method: PaymentMethod, fee: str, customer: str = "C1") -> Tale:
        tale = Tale(
            place(
                method,
                id=f"O{len(self.tales) + 1}",
                customer_id=customer,
                lines=(line(), line("3.99", 3, "0.99", food_id="food-002")),
                total=eur("35.98") + eur(fee),
                at=self.now,
            )
        )
        self.tales.append(tale)
        self.touched.append(tale)
        return tale

    @initialize(target=orders, method=st.sampled_from(PaymentMethod))
    def two_to_begin_with(self, method: PaymentMethod) -> object:
        return multiple(self._place(method, "0"), self._place(PaymentMethod.CASH, "1.5", "C2"))

    @rule(target=orders, method=st.sampled_from(PaymentMethod), fee=st.sampled_from(["0", "2.50"]))
    def place(self, method: PaymentMethod, fee: str) -> Tale:
        return self._place(method, fee)

    @rule(
        tale=orders,
        to=st.sampled_from(OrderState),
        by=actors,
        after=moments,
        shipper_id=shippers,
        reason=reasons,
    )
    def move(
        self, tale: Tale, to: OrderState, by: Actor, after: timedelta, shipper_id: str | None, reason: str | None
    ) -> None:
        self._ask(tale, after, lambda o, at: o.transition_to(to, by=by, at=at, shipper_id=shipper_id, reason=reason))

    @rule(tale=orders, by=actors, after=moments, shipper_id=shippers.filter(bool))
    def assign_shipper(self, tale: Tale, by: Actor, after: timedelta, shipper_id: str) -> None:
        self._ask(tale, after, lambda o, at: o.assign_shipper(shipper_id, by=by, at=at))

    @rule(tale=orders, by=actors, after=moments, paid=st.booleans())
    def record_payment(self, tale: Tale, by: Actor, after: timedelta, paid: bool) -> None:
        self._ask(tale, after, lambda o, at: o.record_payment(paid=paid, by=by, at=at))

    @rule(tale=orders, by=actors, after=moments, which=st.integers(0, 9))
    def do_what_is_allowed(self, tale: Tale, by: Actor, after: timedelta, which: int) -> None:
        allowed = tale.order.allowed_actions(by)
        if not allowed:
            return
        action = allowed[which % len(allowed)]
        someone_else = "S3" if tale.order.shipper_id != "S3" else "S4"
        shipper_id = by.id if by.role is Role.SHIPPER else someone_else

        def command(order: Order, at: object) -> Change:
            how = {"by": by, "at": at}
            if action.name == "assign_shipper":
                return order.assign_shipper(shipper_id, **how)  # type: ignore[arg-type]
            if action.name == "record_payment":
                return order.record_payment(paid=True, **how)  # type: ignore[arg-type]
            if action.name == "refund":
                return order.request_refund(None, "cold", borne_by=RefundBearer.RESTAURANT, **how)  # type: ignore[arg-type]
            needs = {"shipperId": ("shipper_id", shipper_id), "reason": ("reason", "I may")}
            return order.transition_to(OrderState(action.name), **how, **dict(needs[n] for n in action.needs))  # type: ignore[arg-type]

        assert self._ask(tale, after, command), f"{action} was promised to {by}"

    def _ask(self, tale: Tale, after: timedelta, command: Callable[[Order, object], Change]) -> tuple[OrderEvent, ...]:
        self.touched = [tale]
        at = self.now + after
        self.now = max(self.now, at)
        before, shown = tale.order, repr(tale.order)
        try:
            change = command(before, at)
        except (CommandRefused, InvalidInput):
            assert repr(before) == shown, "a refused command changed the order"
            return ()
        assert repr(before) == shown, "a command changed the order that it was asked of"
        self._hold(before, change)
        tale.order, tale.events = change.order, tale.events + change.events
        return change.events

    @staticmethod
    def _hold(before: Order, change: Change) -> None:
        """Check the invariants of every outcome of a command."""
        assert bool(change.events) is (change.order is not before), "a change without events, or events without one"
        assert change.order.version == before.version + len(change.events)
        assert [e.sequence for e in change.events] == list(range(before.version + 1, change.order.version + 1))
        assert [RANK[e.type] for e in change.events] == sorted(RANK[e.type] for e in change.events)
        assert {e.occurred_at for e in change.events} <= {change.order.updated_at}
        assert change.order.updated_at >= before.updated_at
        assert not (before.state.terminal and change.order.state is not before.state)
        asked = ("id", "customer_id", "restaurant_id", "lines", "delivery_fee", "address", "created_at", "total")
        assert all(getattr(change.order, name) == getattr(before, name) for name in asked)

    @invariant()
    def the_order_is_the_fold_of_its_events(self) -> None:
        for tale in self.touched:
            assert facts_of(tale.order) == fold(tale.events)

    @invariant()
    def sequences_are_dense_and_the_version_counts_them(self) -> None:
        for tale in self.touched:
            assert [event.sequence for event in tale.events] == list(range(1, tale.order.version + 1))

    @invariant()
    def the_order_at_any_time_is_folded_from_its_first_events(self) -> None:
        for tale in self.touched:
            facts = None
            for event, after in pairwise((*tale.events, None)):
                facts = apply(facts, event)
                if after is None or after.occurred_at > event.occurred_at:
                    assert fold(e for e in tale.events if e.occurred_at <= event.occurred_at) == facts

    def teardown(self) -> None:
        """In the end no order has been changed by what happened to another, and no two events share an id."""
        for tale in self.tales:
            assert facts_of(tale.order) == fold(tale.events)
        ids = [event.id for tale in self.tales for event in tale.events]
        assert len(ids) == len(set(ids))


TestRandomLives = RandomLives.TestCase
TestRandomLives.settings = settings(max_examples=30, stateful_step_count=50)
