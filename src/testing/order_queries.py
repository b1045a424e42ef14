"""The promises of every storage's order queries."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from ..application.orders.queries import OrderQuery
from ..domain.errors import InvalidInput
from ..domain.lifecycle import OrderState
from .orders import AT, assigned, cancelled, placed

FOUND: Sequence[tuple[dict[str, Any], list[str]]] = (
    ({"customer_id": "C2"}, ["O3"]),
    ({"restaurant_id": "R2"}, ["O3", "O2"]),
    ({"shipper_id": "S1"}, ["O1"]),
    ({"state": OrderState.PREPARING}, ["O1"]),
    ({"state": OrderState.WAITING_FOR_SHIPPER}, ["O4", "O3", "O2"]),
    ({"created_from": AT + timedelta(minutes=3)}, ["O4", "O3"]),
    ({"created_until": AT + timedelta(minutes=3)}, ["O2", "O1"]),
    ({"customer_id": "C1", "restaurant_id": "R2", "state": OrderState.WAITING_FOR_SHIPPER}, ["O2"]),
    ({"customer_id": "C2", "shipper_id": "S1"}, []),
    ({"customer_id": "c1"}, []),
    ({"available": True}, ["O4", "O3", "O2"]),
    ({"available": True, "customer_id": "C2"}, ["O3"]),
    ({"available": True, "state": OrderState.DELIVERED}, []),
)
"""Conditions, and the orders that they find."""


class OrderQueriesContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_the_newest_order_comes_first(self, storage: Any) -> None:
        for minute in (2, 0, 1):
            await placed(storage, f"O{minute}", at=AT + timedelta(minutes=minute))

        assert await _ids(storage, OrderQuery()) == ["O2", "O1", "O0"]

    async def test_open_orders_are_counted_by_state_with_their_oldest_update(self, storage: Any) -> None:
        for minute in (5, 3, 4):
            await placed(storage, f"O{minute}", at=AT + timedelta(minutes=minute))
        await assigned(storage, "O4", "S1")

        found = await storage.views.still_open()

        waiting, preparing = found[OrderState.WAITING_FOR_SHIPPER], found[OrderState.PREPARING]
        assert found.keys() == {OrderState.WAITING_FOR_SHIPPER, OrderState.PREPARING}
        assert (waiting.orders, waiting.since) == (2, AT + timedelta(minutes=3))
        assert (preparing.orders, preparing.since) == (1, (await storage.views.get("O4")).updated_at)

    async def test_orders_that_have_ended_are_not_open(self, storage: Any) -> None:
        await placed(storage, "O1")
        await cancelled(storage, "O1")

        assert await storage.views.still_open() == {}

    async def test_an_empty_list_has_no_next_page(self, storage: Any) -> None:
        page = await storage.views.list(OrderQuery(customer_id="C1"))

        assert (page.orders, page.next_cursor) == ((), None)

    async def test_every_condition_that_is_given_holds(self, storage: Any) -> None:
        for minute, who in enumerate([("C1", "R1"), ("C1", "R2"), ("C2", "R2"), ("C1", "R1")], start=1):
            await placed(
                storage, f"O{minute}", customer_id=who[0], restaurant_id=who[1], at=AT + timedelta(minutes=minute)
            )
        await assigned(storage, "O1", "S1")

        for conditions, found in FOUND:
            assert await _ids(storage, OrderQuery(**conditions)) == found, conditions

    async def test_listed_orders_are_whole(self, storage: Any) -> None:
        order = await placed(storage)

        page = await storage.views.list(OrderQuery())

        assert page.orders == (order,)

    async def test_pages_show_each_order_once_also_where_all_are_of_one_moment(self, storage: Any) -> None:
        ids = ["a", "B", "_", "b", "A", "~", "0"]
        for order_id in ids:
            await placed(storage, order_id)

        pages = await _pages(storage, OrderQuery(customer_id="C1", limit=3))

        assert [len(page) for page in pages] == [3, 3, 1]
        assert [order_id for page in pages for order_id in page] == sorted(ids, reverse=True)

    async def test_a_last_page_that_is_full_has_no_next(self, storage: Any) -> None:
        for number in range(4):
            await placed(storage, f"O{number}")

        pages = await _pages(storage, OrderQuery(limit=2))

        assert pages == [["O3", "O2"], ["O1", "O0"]]

    async def test_a_new_order_shifts_no_page(self, storage: Any) -> None:
        for minute in range(4):
            await placed(storage, f"O{minute}", at=AT + timedelta(minutes=minute))
        first = await storage.views.list(OrderQuery(limit=2))

        await placed(storage, "O9", at=AT + timedelta(hours=1))

        assert await _ids(storage, OrderQuery(limit=2, cursor=first.next_cursor)) == ["O1", "O0"]

    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "nonsense",
            "é",
            "=" * 5,
            urlsafe_b64encode(b"[]").decode(),
            urlsafe_b64encode(b'["2024-01-01T12:00:00", "O1", ""]').decode(),
            urlsafe_b64encode(b'["2024-01-01T12:00:00+00:00", "O1"]').decode().rstrip("="),
            urlsafe_b64encode(b'["2024-01-01T12:00:00+00:00", "O1", 5]').decode().rstrip("="),
            urlsafe_b64encode(b'["9999-12-31T23:59:59-23:59", "O1", ""]').decode().rstrip("="),
            urlsafe_b64encode(b'["2024-01-01T12:00:00+00:00", "\\u0000", ""]').decode().rstrip("="),
            urlsafe_b64encode(b'["2024-01-01T12:00:00+00:00", "\\ud800", ""]').decode().rstrip("="),
            urlsafe_b64encode(b"[" * 100_000).decode(),
        ],
    )
    async def test_an_invalid_cursor_is_refused(self, storage: Any, cursor: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            await storage.views.list(OrderQuery(cursor=cursor))

        assert refused.value.field == "cursor"


async def _ids(storage: Any, query: OrderQuery) -> list[str]:
    return [order.id for order in (await storage.views.list(query)).orders]


async def _pages(storage: Any, query: OrderQuery) -> list[list[str]]:
    pages = []
    while True:
        page = await storage.views.list(query)
        pages.append([order.id for order in page.orders])
        if page.next_cursor is None:
            return pages
        query = evolve(query, cursor=page.next_cursor)
