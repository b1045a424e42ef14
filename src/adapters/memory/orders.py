"""Orders in memory: lookup, lists and counts."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ...application.orders.queries import MOST_COUNTED, OpenOrders, OrderPage, OrderQuery, OrderSort, StateCount
from ...domain.errors import OrderNotFound
from ...domain.lifecycle import ASSIGNABLE, OrderState
from ...domain.order import Order
from ...domain.text import is_identifier
from ..order_terms import OrderTerms, has_term
from ..paging import cursor_after, decode_cursor


@frozen
class MemoryOrderQueries:
    orders: Mapping[str, Order]
    phone_region: str

    async def get(self, order_id: str) -> Order:
        if not (found := await self.get_all([order_id])):
            raise OrderNotFound(order_id)
        return next(iter(found.values()))

    async def get_all(self, order_ids: Collection[str]) -> Mapping[str, Order]:
        return {it: self.orders[it] for it in filter(is_identifier, order_ids) if it in self.orders}

    async def list(self, query: OrderQuery) -> OrderPage:
        after = decode_cursor(query.cursor, query) if query.cursor is not None else None
        newest = query.sort is OrderSort.NEWEST

        def key(order: Order) -> tuple[datetime, str]:
            return query.sort_time(order), order.id

        found = sorted(self._matching(query), key=key, reverse=newest)
        if after is not None:
            found = [o for o in found if (key(o) < after if newest else key(o) > after)]
        page = tuple(found[: query.limit])
        return OrderPage(page, cursor_after(page[-1], query) if len(found) > query.limit else None)

    async def count(self, query: OrderQuery) -> Sequence[StateCount]:
        numbers = Counter(order.state for order in self._matching(query))
        return [
            StateCount(state=state, orders=min(numbers[state], MOST_COUNTED), more=numbers[state] > MOST_COUNTED)
            for state in query.states or OrderState
        ]

    def _matching(self, query: OrderQuery) -> Iterator[Order]:
        terms = OrderTerms(self.phone_region)
        wanted = None if query.q is None else terms.wanted(query.q)
        for order in self.orders.values():
            if _matches(order, query) and (
                wanted is None
                or (
                    wanted.id
                    and (order.id.startswith(wanted.id) or wanted.id in (order.restaurant_id, order.customer_id))
                )
                or (
                    query.annotations_visible
                    and (own := terms.of(order.annotations))
                    and any(has_term(own, alternative) for alternative in wanted.alternatives)
                )
            ):
                yield order

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        touched: dict[OrderState, list[datetime]] = defaultdict(list)
        for order in self.orders.values():
            if not order.state.terminal:
                touched[order.state].append(order.updated_at)
        return {state: OpenOrders(orders=len(times), since=min(times)) for state, times in touched.items()}


def _matches(order: Order, query: OrderQuery) -> bool:
    return (
        query.customer_id in (None, order.customer_id)
        and query.restaurant_id in (None, order.restaurant_id)
        and (query.shipper_id is None or query.shipper_id == order.shipper_id)
        and (not query.states or order.state in query.states)
        and (not query.late or query.is_late(order))
        and not (query.available and (order.shipper_id is not None or order.state not in ASSIGNABLE))
        and (query.created_from is None or query.created_from <= order.created_at)
        and (query.created_until is None or order.created_at < query.created_until)
    )


@frozen
class MemoryOrderAudit:
    orders: Mapping[str, Order]

    async def many(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        return {it: self.orders[it] for it in order_ids if it in self.orders}

    async def count(self) -> int:
        return len(self.orders)
