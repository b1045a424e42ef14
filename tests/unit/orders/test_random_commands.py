"""Random commands by random actors, through the use-cases: the stored order always agrees with the log."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from orderflow.adapters.wire import decode_record
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import OrderFlowError
from orderflow.domain.events import OrderLine
from orderflow.domain.history import facts_of, fold
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.container import Container
from orderflow.entrypoints.settings import Settings

ORDERS = st.sampled_from(["O1", "O2", "O3"])
ACTORS = st.builds(Actor, st.sampled_from(Role), st.sampled_from(["P1", "P2"]))
SHIPPERS = st.sampled_from(["P1", "P2"])


class RandomCommands(RuleBasedStateMachine):
    """A refused command changes nothing; an accepted one adds its events, dense in order and bucket."""

    def __init__(self) -> None:
        super().__init__()
        self.container = Container(settings=Settings(database_url="memory://"))
        self.ask = self.container.use_cases()
        self.storage = self.container.storage()
        self.versions: dict[str, int] = {}

    def _try(self, command: Any) -> None:
        before = dict(self.storage._orders), sum(asyncio.run(self.storage.log.heads()).values())
        try:
            asyncio.run(command)
        except OrderFlowError:
            assert (dict(self.storage._orders), sum(asyncio.run(self.storage.log.heads()).values())) == before

    @rule(order=ORDERS, by=ACTORS, price=st.integers(1, 3), card=st.booleans())
    def create(self, order: str, by: Actor, price: int, card: bool) -> None:
        zero = Money.zero("USD")
        line = OrderLine(food_id="F", food_name="Soup", price=Money(price, "USD"), quantity=1, discount=zero)  # type: ignore[arg-type]
        new = NewOrder(
            order_id=order,
            customer_id="P1",
            restaurant_id="P1",
            lines=[line],
            payment_method=PaymentMethod.CREDIT_CARD if card else PaymentMethod.CASH,
            card_token="tok_success" if card else None,
            currency="USD",
        )
        self._try(self.ask.create_order(new, by=by))

    @rule(order=ORDERS, state=st.sampled_from(OrderState), by=ACTORS, shipper=st.none() | SHIPPERS)
    def move(self, order: str, state: OrderState, by: Actor, shipper: str | None) -> None:
        self._try(self.ask.transition_order_state(order, state, by=by, shipper_id=shipper, reason="because"))

    @rule(order=ORDERS, shipper=SHIPPERS, by=ACTORS)
    def assign(self, order: str, shipper: str, by: Actor) -> None:
        self._try(self.ask.assign_shipper(order, shipper, by=by))

    @rule(order=ORDERS, by=ACTORS, paid=st.sampled_from([None, True, False]))
    def pay(self, order: str, by: Actor, paid: bool | None) -> None:
        self._try(self.ask.record_payment(order, by=by, paid=paid))

    @invariant()
    def every_order_is_the_fold_of_its_events(self) -> None:
        for order_id, order in self.storage._orders.items():
            records = asyncio.run(self.storage.log.history(order_id))
            assert [record.sequence for record in records] == list(range(1, order.version + 1))
            folded = fold(decode_record(record) for record in records)
            wanted = facts_of(order)
            assert folded.state is wanted.state
            assert folded.payment_status is wanted.payment_status
            assert (folded.total, folded.shipper_id, folded.version) == (
                wanted.total,
                wanted.shipper_id,
                wanted.version,
            )

    @invariant()
    def versions_ascend(self) -> None:
        for order_id, order in self.storage._orders.items():
            assert order.version >= self.versions.get(order_id, 1)
            self.versions[order_id] = order.version

    @invariant()
    def positions_are_dense_in_every_bucket(self) -> None:
        for bucket, head in asyncio.run(self.storage.log.heads()).items():
            records = asyncio.run(self.storage.log.read({bucket: 0}, limit=10_000))
            assert [record.position for record in records] == list(range(1, head + 1))


TestRandomCommands = RandomCommands.TestCase
TestRandomCommands.settings = settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck))
