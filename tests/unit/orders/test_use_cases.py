"""The use-cases of an order, through mocks of their ports and through the memory adapter."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from attrs import evolve
from orderflow.application.clock import Clock, NewId
from orderflow.application.orders.assign_shipper import AssignShipper
from orderflow.application.orders.change_order import ChangeOrder
from orderflow.application.orders.create_order import CreateOrder, NewOrder
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.ports import EventPublisher, OrderRepository, PaymentAttemptStore
from orderflow.application.orders.queries import OrderQuery
from orderflow.application.orders.retry import ATTEMPTS
from orderflow.application.request_context import Request, answering
from orderflow.domain.actor import Actor
from orderflow.domain.annotations import Annotations
from orderflow.domain.errors import (
    ConcurrentChange,
    IllegalTransition,
    InvalidInput,
    KeyReused,
    NotPermitted,
    OrderExists,
    OrderNotFound,
    RequestRunning,
    VersionMismatch,
)
from orderflow.domain.events import OrderCreated, OrderLine, ShipperAssigned, StateChanged
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.container import Container
from orderflow.entrypoints.settings import Settings
from pytest_mock import MockerFixture

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
CUSTOMER, RESTAURANT, ADMIN = Actor.parse("customer:C1"), Actor.parse("restaurant:R1"), Actor.parse("admin:boss")


def _money(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def _new(order_id: str | None = "O1", customer: str = "C1", price: str = "12.50") -> NewOrder:
    line = OrderLine(food_id="F1", food_name="Pizza", price=_money(price), quantity=2, discount=_money("0"))
    return NewOrder(
        customer_id=customer,
        restaurant_id="R1",
        lines=[line],
        payment_method=PaymentMethod.CASH,
        currency="USD",
        order_id=order_id,
    )


class MockedUnitOfWork:
    """A unit of work whose ports are autospecced mocks; ``commits`` counts the ends that were reached."""

    def __init__(self, mocker: MockerFixture) -> None:
        self.orders = mocker.create_autospec(OrderRepository, instance=True, spec_set=True)
        self.events = mocker.create_autospec(EventPublisher, instance=True, spec_set=True)
        self.payments = mocker.create_autospec(PaymentAttemptStore, instance=True, spec_set=True)
        self.clock = mocker.create_autospec(Clock, instance=True, spec_set=True, return_value=NOW)
        self.new_id = mocker.create_autospec(NewId, instance=True, spec_set=True, return_value="made-1")
        self.conflicts = 0
        self.commits = 0

    @asynccontextmanager
    async def unit_of_work(self, *, idempotency=None):  # type: ignore[no-untyped-def]
        yield SimpleNamespace(orders=self.orders, events=self.events, payments=self.payments)
        if self.conflicts:
            self.conflicts -= 1
            raise ConcurrentChange("O1", 1)
        self.commits += 1


@pytest.fixture
def mocked(mocker: MockerFixture) -> MockedUnitOfWork:
    return MockedUnitOfWork(mocker)


async def test_a_new_order_is_saved_and_its_event_published(mocked: MockedUnitOfWork) -> None:
    create = CreateOrder(mocked.unit_of_work, mocked.clock, mocked.new_id)

    order = await create(_new(None), by=CUSTOMER)

    assert order.id == "made-1"
    mocked.orders.save.assert_called_once_with(order)
    (event,) = mocked.events.publish.call_args.args
    assert isinstance(event, OrderCreated)
    assert event.occurred_at == NOW
    assert mocked.commits == 1


async def test_assigning_publishes_both_facts_in_order(mocked: MockedUnitOfWork) -> None:
    mocked.orders.get.return_value = _placed()
    assign = AssignShipper(ChangeOrder(mocked.unit_of_work), mocked.clock)

    order = await assign("O1", "S1", by=RESTAURANT)

    assert order.state is OrderState.PREPARING
    assert [type(event) for event in mocked.events.publish.call_args.args] == [ShipperAssigned, StateChanged]


async def test_a_lost_race_reads_again_and_decides_anew(mocked: MockedUnitOfWork) -> None:
    mocked.orders.get.return_value = _placed()
    mocked.conflicts = 2
    assign = AssignShipper(ChangeOrder(mocked.unit_of_work), mocked.clock)

    await assign("O1", "S1", by=RESTAURANT)

    assert mocked.orders.get.await_count == 3
    assert mocked.commits == 1


async def test_races_are_lost_a_bounded_number_of_times(mocked: MockedUnitOfWork) -> None:
    mocked.orders.get.return_value = _placed()
    mocked.conflicts = 1000
    assign = AssignShipper(ChangeOrder(mocked.unit_of_work), mocked.clock)

    with pytest.raises(ConcurrentChange):
        await assign("O1", "S1", by=RESTAURANT)

    assert mocked.orders.get.await_count == ATTEMPTS


def _placed() -> Order:
    new = _new()
    return Order.place(
        id="O1",
        customer_id=new.customer_id,
        restaurant_id=new.restaurant_id,
        lines=new.lines,
        payment_method=new.payment_method,
        currency=new.currency,
        at=NOW,
    ).order


@pytest.fixture
def container() -> Container:
    return Container(settings=Settings(database_url="memory://"))


async def test_the_same_id_and_content_answers_the_same_order_without_a_second_event(container: Container) -> None:
    ask = container.use_cases()
    first = await ask.create_order(_new(), by=CUSTOMER)

    again = await ask.create_order(_new(), by=CUSTOMER)

    assert again == first
    assert len(await ask.timeline("O1", by=CUSTOMER)) == 1


async def test_of_many_that_create_one_order_at_once_one_makes_it_and_all_get_it(container: Container) -> None:
    ask = container.use_cases()

    orders = await asyncio.gather(*(ask.create_order(_new(), by=CUSTOMER) for _ in range(20)))

    assert len({order.created_at for order in orders}) == 1
    assert len(await ask.timeline("O1", by=CUSTOMER)) == 1


async def test_a_customer_cannot_order_in_the_name_of_another(container: Container) -> None:
    with pytest.raises(NotPermitted):
        await container.use_cases().create_order(_new(customer="C2"), by=CUSTOMER)


async def test_a_stranger_finds_no_order_to_see_or_to_cancel(container: Container) -> None:
    ask, stranger = container.use_cases(), Actor.parse("customer:C2")
    await ask.create_order(_new(), by=CUSTOMER)

    with pytest.raises(OrderNotFound):
        await ask.get_order("O1", by=stranger)
    with pytest.raises(OrderNotFound):
        await ask.cancel_order("O1", "mine now", by=stranger)


async def test_a_command_on_a_version_that_is_gone_is_refused(container: Container) -> None:
    ask = container.use_cases()
    await ask.create_order(_new(), by=CUSTOMER)
    await ask.transition_order_state("O1", OrderState.PREPARING, by=RESTAURANT, expected_version=1)

    with pytest.raises(VersionMismatch) as refused:
        await ask.assign_shipper("O1", "S1", by=RESTAURANT, expected_version=1)

    assert (refused.value.expected, refused.value.actual) == (1, 2)


async def test_a_list_shows_everybody_their_own(container: Container) -> None:
    ask = container.use_cases()
    await ask.create_order(_new("O1"), by=CUSTOMER)
    await ask.create_order(_new("O2", customer="C2"), by=ADMIN)

    async def seen(actor: str) -> set[str]:
        return {o.id for o in (await ask.list_orders(OrderQuery(), by=Actor.parse(actor))).orders}

    assert await seen("customer:C1") == {"O1"}
    assert await seen("restaurant:R1") == await seen("admin:boss") == {"O1", "O2"}
    assert await seen("shipper:S1") == set()
    with pytest.raises(InvalidInput):
        await ask.list_orders(OrderQuery(customer_id="C2"), by=CUSTOMER)


async def test_an_order_as_of_a_time_is_folded_from_the_events_until_then(container: Container) -> None:
    ask = container.use_cases()
    created = await ask.create_order(_new(), by=CUSTOMER)
    cancelled = await ask.cancel_order("O1", "hungry no more", by=CUSTOMER)

    then = await ask.as_of("O1", created.created_at, by=CUSTOMER)
    now = await ask.as_of("O1", cancelled.updated_at, by=CUSTOMER)

    assert (then.state, now.state) == (OrderState.WAITING_FOR_SHIPPER, OrderState.CANCELLED)
    with pytest.raises(OrderNotFound):
        await ask.as_of("O1", created.created_at - timedelta(microseconds=1), by=CUSTOMER)


async def test_what_travels_with_a_request_reaches_the_log(container: Container) -> None:
    with answering(Request(correlation_id="corr-7", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")):
        await container.use_cases().create_order(_new(), by=CUSTOMER)

    (record,) = await container.storage().log.history("O1")

    assert record.correlation_id == "corr-7"
    assert record.traceparent.startswith("00-aaaa")


class TestOnce:
    """A request with an idempotency key."""

    def _key(self, **changes: str) -> IdempotencyKey:
        key = IdempotencyKey(
            caller="customer:C1",
            key="k1",
            fingerprint="f1",
            render=lambda order: f"v{order.version}".encode(),
        )
        return evolve(key, **changes)

    async def test_the_first_answer_is_given_again_although_the_order_went_on(self, container: Container) -> None:
        ask = container.use_cases()
        first = await ask.idempotent(self._key(), lambda key: ask.create_order(_new(), by=CUSTOMER, idempotency=key))
        await ask.transition_order_state("O1", OrderState.PREPARING, by=RESTAURANT)

        again = await ask.idempotent(self._key(), lambda key: ask.create_order(_new(), by=CUSTOMER, idempotency=key))

        assert first == (b"v1", False)
        assert again == (b"v1", True)

    async def test_another_request_under_the_same_key_is_refused(self, container: Container) -> None:
        ask = container.use_cases()
        await ask.idempotent(self._key(), lambda key: ask.create_order(_new(), by=CUSTOMER, idempotency=key))

        with pytest.raises(KeyReused):
            await ask.idempotent(
                self._key(fingerprint="f2"), lambda key: ask.create_order(_new("O2"), by=CUSTOMER, idempotency=key)
            )

    async def test_a_refused_command_keeps_the_key_free(self, container: Container) -> None:
        ask = container.use_cases()
        await ask.create_order(_new(), by=CUSTOMER)

        with pytest.raises(IllegalTransition):
            await ask.idempotent(
                self._key(),
                lambda key: ask.transition_order_state("O1", OrderState.DELIVERED, by=ADMIN, idempotency=key),
            )
        answer = await ask.idempotent(
            self._key(), lambda key: ask.transition_order_state("O1", OrderState.PREPARING, by=ADMIN, idempotency=key)
        )

        assert answer == (b"v2", False)

    async def test_a_key_whose_request_still_runs_is_refused_with_that_reason(self, container: Container) -> None:
        ask, runs, going = container.use_cases(), asyncio.Event(), asyncio.Event()

        async def slow(key: IdempotencyKey) -> Order:
            runs.set()
            await going.wait()
            order: Order = await ask.create_order(_new(), by=CUSTOMER, idempotency=key)
            return order

        running = asyncio.create_task(ask.idempotent(self._key(), slow))
        await runs.wait()

        with pytest.raises(RequestRunning):
            await ask.idempotent(self._key(), slow)
        going.set()

        assert await running == (b"v1", False)

    async def test_of_two_processes_that_race_with_one_key_both_give_the_answer_of_the_one_that_commits(
        self, container: Container
    ) -> None:
        ask = container.use_cases()
        other = evolve(ask.idempotent)

        async def create(key: IdempotencyKey) -> Order:
            await asyncio.wait(
                {
                    asyncio.create_task(
                        other(self._key(), lambda key: ask.create_order(_new(), by=CUSTOMER, idempotency=key))
                    )
                }
            )
            order: Order = await ask.create_order(_new(), by=CUSTOMER, idempotency=key)
            return order

        assert await ask.idempotent(self._key(), create) == (b"v1", True)

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "é"])
    async def test_a_key_is_printable_ascii_of_bounded_length(self, container: Container, key: str) -> None:
        ask = container.use_cases()

        with pytest.raises(InvalidInput):
            await ask.idempotent(self._key(key=key), lambda key: ask.create_order(_new(), by=CUSTOMER, idempotency=key))


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"customer_id": "nul\0"}, "customerId"),
        ({"restaurant_id": "\ud800"}, "restaurantId"),
        ({"shipper_id": ""}, "shipperId"),
    ],
)
def test_a_query_by_what_is_no_identifier_is_refused(condition: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        OrderQuery(**condition)

    assert refused.value.field == field


OTHER_SHIPPER = Actor.parse("shipper:S2")


async def test_an_id_that_is_taken_says_what_differs_and_nothing_about_another_customers_order(
    container: Container,
) -> None:
    use_cases = container.use_cases()
    await use_cases.create_order(_new(), by=CUSTOMER)

    with pytest.raises(OrderExists) as refused:
        await use_cases.create_order(_new(customer="C2", price="9"), by=Actor.parse("customer:C2"))
    with pytest.raises(OrderExists) as own:
        await use_cases.create_order(_new(price="9"), by=CUSTOMER)

    assert refused.value.differs == ()
    assert str(refused.value) == "order id 'O1' is taken; use another one"
    assert own.value.differs == ("lines",)


@pytest.mark.parametrize("shipper", ["S1", "S2"])
@pytest.mark.parametrize("state", ["preparing", "on_the_way", "delivered", "cancelled", "waiting_for_shipper"])
async def test_a_shipper_finds_no_order_of_another_shipper(container: Container, state: str, shipper: str) -> None:
    use_cases = container.use_cases()
    await use_cases.create_order(_new(), by=CUSTOMER)
    await use_cases.assign_shipper("O1", "S1", by=RESTAURANT)

    with pytest.raises(OrderNotFound):
        await use_cases.transition_order_state(
            "O1", OrderState(state), by=OTHER_SHIPPER, shipper_id=shipper, reason="late", expected_version=1
        )
    with pytest.raises(OrderNotFound):
        await use_cases.assign_shipper("O1", shipper, by=OTHER_SHIPPER, expected_version=1)


async def test_of_an_order_without_a_shipper_a_shipper_finds_only_that_it_may_take_it(container: Container) -> None:
    use_cases = container.use_cases()
    await use_cases.create_order(_new(), by=CUSTOMER)

    for attempt in (
        use_cases.get_order("O1", by=OTHER_SHIPPER),
        use_cases.assign_shipper("O1", "S1", by=OTHER_SHIPPER),
        use_cases.transition_order_state("O1", OrderState.PREPARING, by=OTHER_SHIPPER),
        use_cases.transition_order_state("O1", OrderState.DELIVERED, by=OTHER_SHIPPER, shipper_id="S2"),
        use_cases.cancel_order("O1", "late", by=OTHER_SHIPPER),
        use_cases.record_payment("O1", by=OTHER_SHIPPER),
    ):
        with pytest.raises(OrderNotFound):
            await attempt
    taken = await use_cases.transition_order_state("O1", OrderState.PREPARING, by=OTHER_SHIPPER, shipper_id="S2")

    assert taken.shipper_id == "S2"


async def test_a_cancelled_order_cannot_be_taken_and_is_not_found(container: Container) -> None:
    use_cases = container.use_cases()
    await use_cases.create_order(_new(), by=CUSTOMER)
    await use_cases.cancel_order("O1", "late", by=ADMIN)

    with pytest.raises(OrderNotFound):
        await use_cases.assign_shipper("O1", "S2", by=OTHER_SHIPPER)


async def test_shippers_list_what_they_may_take_only_if_the_setting_allows_it() -> None:
    closed, opened = (
        Container(settings=Settings(database_url="memory://", available_orders=value)).use_cases()
        for value in ("none", "all")
    )
    for use_cases in (closed, opened):
        planted = Annotations.of(customer_name="Planted", customer_phone="+49 30 123456")
        await use_cases.create_order(evolve(_new("O1"), annotations=planted), by=CUSTOMER)
        await use_cases.create_order(_new("O2"), by=CUSTOMER)
        await use_cases.assign_shipper("O2", "S1", by=RESTAURANT)

    page = await opened.list_orders(OrderQuery(available=True), by=OTHER_SHIPPER)
    others = await opened.list_orders(OrderQuery(), by=OTHER_SHIPPER)
    with pytest.raises(InvalidInput, match="ORDERFLOW_AVAILABLE_ORDERS"):
        await closed.list_orders(OrderQuery(available=True), by=OTHER_SHIPPER)

    named = [
        await opened.list_orders(OrderQuery(available=True, q=q, annotations_visible=True), by=OTHER_SHIPPER)
        for q in ("Planted", "+49 30 123456", "O1")
    ]

    assert [order.id for order in page.orders] == ["O1"]
    assert [[order.id for order in each.orders] for each in named] == [[], [], ["O1"]]
    assert others.orders == ()
    assert [o.id for o in (await closed.list_orders(OrderQuery(available=True), by=CUSTOMER)).orders] == ["O1"]
