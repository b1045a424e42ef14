"""The promises of every storage about finding orders: by a text, by what is late, sorted, and counted."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from ..adapters import order_terms
from ..adapters.sql import order_search
from ..application.orders.change_order import ChangeOrder
from ..application.orders.queries import OrderQuery, OrderSort
from ..domain.annotations import Annotations
from ..domain.errors import InvalidInput
from ..domain.lifecycle import LATE_AFTER, OrderState
from ..entrypoints.wiring import storage_and_consumers
from .order_queries import _ids, _pages
from .orders import ADMIN, AT, assigned, cancelled, placed, unit_of_work

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PREPARING, ON_THE_WAY = OrderState.PREPARING, OrderState.ON_THE_WAY
WAITING = OrderState.WAITING_FOR_SHIPPER
LATE = max(LATE_AFTER.values())

FOUND = {
    "O-1": ["O-12", "O-1"],
    "O-12": ["O-12"],
    " O-12 ": ["O-12"],
    "o-1": [],
    "O%": [],
    "O_1": [],
    "R1": ["O-12", "O-1"],
    "R": [],
    "C2": ["O-2"],
    "müller": ["O-12", "O-1"],
    "MULLER": ["O-12", "O-1"],
    "Mu\u0308ller": ["O-12", "O-1"],
    "\uff4düll": ["O-12", "O-1"],
    "STRASSER": ["O-2"],
    "straße": ["O-2"],
    "maria": ["O-12"],
    "anna-m": ["O-12"],
    "muller anna": ["O-12"],
    "muller eve": [],
    "anna T-9": ["O-12"],
    "ller": [],
    "t-9": ["O-12"],
    "T-": ["O-12", "O-1"],
    "table": [],
    "no onions": [],
    "+49 30 123456": ["O-1"],
    "0049/30/123456": ["O-1"],
    "(030) 123-456": ["O-1"],
    "30123456": ["O-1"],
    "030 1234": ["O-12", "O-1"],
    "٠٣٠١٢٣٤٥٦": ["O-1"],
    "+43 30 123456": [],
    "+1 212 555 0100": ["O-2"],
    "2125550100": ["O-2"],
    "12125550100": ["O-2"],
    "+1 2125550101": [],
    "123": [],
    "'; DROP TABLE orders; --": [],
    "%": [],
    "\U0010ffff": [],
    "-": [],
}
"""The orders that each text finds."""


@pytest.mark.asyncio
class OrderSearchContract:
    """Subclassed with a fixture ``storage``, empty and open, in which telephone numbers without a code are German."""

    @pytest.fixture(params=["few", "many", "many far away"])
    def amount(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Find orders in each way: those with a text are few, or many, or many and far from the page."""
        if request.param != "few":
            monkeypatch.setattr(order_search, "FEW", 0)
        if request.param == "many far away":
            monkeypatch.setattr(order_search, "NEAR", 1)

    async def test_a_text_finds_ids_names_numbers_and_metadata(self, storage: Any, amount: None) -> None:
        await _three(storage)

        assert {q: await _ids(storage, OrderQuery(q=q)) for q in FOUND} == FOUND

    async def test_a_text_finds_no_annotations_that_the_reader_may_not_see(self, storage: Any, amount: None) -> None:
        await _three(storage)
        for q in ("müller", "030 123456", "T-9", "anna"):
            hidden = OrderQuery(q=q, annotations_visible=False)

            assert await _ids(storage, hidden) == []
            assert not any(each.orders for each in await storage.views.count(hidden))

    async def test_annotations_that_were_erased_find_nothing(self, storage: Any, amount: None) -> None:
        personal_data = storage_and_consumers.personal_data(storage, storage_and_consumers.consumer_stores(storage))
        await _three(storage)
        await cancelled(storage, "O-1")

        await personal_data.forget_addresses(["O-1", "O-12"])

        assert (await storage.views.get("O-1")).annotations is None
        assert await _ids(storage, OrderQuery(q="müller")) == ["O-12"]
        assert await _ids(storage, OrderQuery(q="030 123456")) == []

    async def test_a_text_and_all_other_conditions_hold_together(self, storage: Any, amount: None) -> None:
        await _three(storage)
        await assigned(storage, "O-1", "S1")

        assert await _ids(storage, OrderQuery(q="müller", state=PREPARING)) == ["O-1"]
        assert await _ids(storage, OrderQuery(q="müller", restaurant_id="R2")) == []
        assert await _ids(storage, OrderQuery(q="müller", shipper_id="S1")) == ["O-1"]
        assert await _ids(storage, OrderQuery(q="O-1", created_from=AT + MINUTE)) == ["O-12"]

    @pytest.mark.parametrize("sort", OrderSort)
    async def test_pages_of_a_text_show_each_order_once(self, storage: Any, sort: OrderSort, amount: None) -> None:
        for number in range(7):  # each is found by its id and by its name
            await placed(storage, f"anna{number}", annotations=Annotations.of(customer_name="Anna"))

        pages = await _pages(storage, OrderQuery(q="anna", sort=sort, limit=3))

        ids = [f"anna{number}" for number in range(7)]
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [each for page in pages for each in page] == (ids[::-1] if sort is OrderSort.NEWEST else ids)

    async def test_orders_in_one_of_several_states_are_sorted_together(self, storage: Any) -> None:
        await _in_each_state(storage)

        several = OrderQuery(state=(OrderState.CANCELLED, WAITING, PREPARING), limit=2)

        assert await _pages(storage, several) == [["cancelled", "preparing"], ["waiting"]]
        assert await _pages(storage, evolve(several, sort=OrderSort.OLDEST)) == [
            ["waiting", "preparing"],
            ["cancelled"],
        ]

    async def test_what_has_not_changed_for_the_longest_comes_first_and_nothing_that_has_ended(
        self, storage: Any
    ) -> None:
        await _in_each_state(storage)
        await assigned(storage, "waiting", "S9")  # at AT, which is before the others changed

        query = OrderQuery(sort=OrderSort.LONGEST_IN_STATE, limit=2)

        pages = await _pages(storage, query)
        assert [each for page in pages for each in page] == ["waiting", "preparing", "on_the_way"]
        assert await _ids(storage, evolve(query, state=ON_THE_WAY)) == ["on_the_way"]

    @pytest.mark.parametrize(
        ("order_id", "late_after"),
        [
            ("waiting", LATE_AFTER[WAITING]),
            ("preparing", MINUTE + LATE_AFTER[PREPARING]),
            ("on_the_way", 32 * MINUTE),  # its estimate
        ],
    )
    async def test_an_order_is_late_after_its_limit_or_its_estimate(
        self, storage: Any, order_id: str, late_after: timedelta
    ) -> None:
        await _in_each_state(storage)
        at_limit = OrderQuery(late=True, q=order_id, at=AT + late_after)

        assert await _ids(storage, at_limit) == []
        assert await _ids(storage, evolve(at_limit, at=AT + late_after + SECOND)) == [order_id]

    async def test_an_order_that_has_ended_is_never_late(self, storage: Any) -> None:
        await _in_each_state(storage)
        late = OrderQuery(late=True, at=AT + 9 * LATE)

        assert set(await _ids(storage, late)) == {"waiting", "preparing", "on_the_way"}
        assert await _ids(storage, evolve(late, state=(PREPARING, OrderState.CANCELLED))) == ["preparing"]
        with pytest.raises(InvalidInput):
            evolve(late, state=OrderState.CANCELLED)

    async def test_a_cursor_belongs_to_its_filter_and_its_sort(self, storage: Any, amount: None) -> None:
        for number in range(4):
            await placed(storage, f"O{number}")
        query = OrderQuery(q="O", limit=2)
        cursor = (await storage.views.list(query)).next_cursor

        for other in (
            OrderQuery(limit=2),
            OrderQuery(q="O1", limit=2),
            OrderQuery(q="O", limit=2, sort=OrderSort.OLDEST),
            OrderQuery(q="O", limit=2, state=WAITING),
            OrderQuery(q="O", limit=2, late=True, at=AT),
        ):
            with pytest.raises(InvalidInput) as refused:
                await storage.views.list(evolve(other, cursor=cursor))
            assert (refused.value.field, "another filter" in refused.value.problem) == ("cursor", True)
        assert await _ids(storage, evolve(query, cursor=cursor, limit=1)) == ["O1"]

    async def test_orders_are_counted_by_state_with_the_same_conditions(self, storage: Any, amount: None) -> None:
        await _in_each_state(storage)
        await placed(storage, "other", restaurant_id="R2", annotations=Annotations.of(customer_name="Anna"))

        assert await _counts(storage, OrderQuery()) == [2, 1, 1, 0, 1]
        assert await _counts(storage, OrderQuery(restaurant_id="R2")) == [1, 0, 0, 0, 0]
        assert await _counts(storage, OrderQuery(q="R1")) == [1, 1, 1, 0, 1]
        assert await _counts(storage, OrderQuery(q="anna")) == [1, 0, 0, 0, 0]
        assert await _counts(storage, OrderQuery(q="nobody")) == [0, 0, 0, 0, 0]
        assert await _counts(storage, OrderQuery(q="?")) == [0, 0, 0, 0, 0]
        assert await _counts(storage, OrderQuery(state=(WAITING, PREPARING))) == [2, 1]
        assert await _counts(storage, OrderQuery(late=True, at=AT + 9 * LATE)) == [2, 1, 1]

    @pytest.mark.parametrize("q", [None, "O"])
    async def test_of_a_state_no_more_than_so_many_are_counted(
        self, storage: Any, monkeypatch: pytest.MonkeyPatch, amount: None, q: str | None
    ) -> None:
        for module in ("sql.order_search", "memory.orders"):
            monkeypatch.setattr(f"orderflow.adapters.{module}.MOST_COUNTED", 3)
        for number in range(4):
            await placed(storage, f"O{number}")

        [counted] = await storage.views.count(OrderQuery(q=q, state=WAITING))

        assert (counted.orders, counted.more) == (3, True)

    async def test_too_many_words_are_refused(self, storage: Any) -> None:
        words = order_terms.MAX_WORDS + 1
        with pytest.raises(InvalidInput) as refused:
            await storage.views.list(OrderQuery(q=" ".join(["a"] * words)))

        assert (refused.value.field, refused.value.problem) == ("q", f"{words} words")


async def _three(storage: Any) -> None:
    """Three orders, each a minute after the one before."""
    for minute, (order_id, customer, restaurant, name, phone, metadata) in enumerate(
        [
            ("O-1", "C1", "R1", "Jürgen Müller", "030 123456", {"table": "T-8", "shop": "web"}),
            ("O-12", "C1", "R1", "Anna-Maria MÜLLER", "+49 (0)30 1234-99", {"table": "T-9"}),
            ("O-2", "C2", "R2", "Eve Straßer", "+1 (212) 555-0100", {}),
        ]
    ):
        annotations = Annotations.of(customer_name=name, customer_phone=phone, note="no onions", metadata=metadata)
        await placed(
            storage,
            order_id,
            customer_id=customer,
            restaurant_id=restaurant,
            annotations=annotations,
            at=AT + minute * MINUTE,
        )


async def _in_each_state(storage: Any) -> None:
    """Orders in all states but delivered, each a minute after the one before; the last changes are a second apart."""
    for minute, order_id in enumerate(["waiting", "preparing", "on_the_way", "cancelled"]):
        await placed(storage, order_id, at=AT + minute * MINUTE)
    change = ChangeOrder(unit_of_work(storage))
    await change("preparing", lambda o: o.prepare(by=ADMIN, at=AT + MINUTE), by=ADMIN)
    await change("on_the_way", lambda o: o.assign_shipper("S1", by=ADMIN, at=AT), by=ADMIN)
    await change("on_the_way", lambda o: o.send_out(by=ADMIN, at=AT, estimate=30 * MINUTE), by=ADMIN)
    await cancelled(storage, "cancelled")


async def _counts(storage: Any, query: OrderQuery) -> list[int]:
    return [count.orders for count in await storage.views.count(query)]
