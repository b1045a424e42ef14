"""Finding orders: pages and counts of those that match a query.

A page is the union of branches, each of which an index serves: one for each state if several are wanted, and with a
text one for each thing that it may be: an id, a word of a name, a telephone number (``order_terms``). What begins with
a text has no index in the order of a page. If few orders do, all of them are read. If many do, orders are read in the
order of the page and each is looked at, which soon finds enough; if it does not, because they are all far away, all of
them are read, too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Row,
    Select,
    Table,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    union,
    union_all,
)

from ...application.orders.queries import MOST_COUNTED, OrderQuery, OrderSort, StateCount
from ...domain.lifecycle import LATE_AFTER, OrderState
from ..order_terms import LAST, OrderTerms
from ..paging import decode_cursor
from .database import POSTGRESQL, Database
from .orders import AVAILABLE, orders
from .types import Identifier, Timestamp, metadata

order_terms = Table(
    "order_terms",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("term", Identifier, nullable=False),
    PrimaryKeyConstraint("order_id", "term"),
)
"""The terms by which orders are found by their annotations."""
Index(None, order_terms.c.term, order_terms.c.order_id)

FEW = 5_000
"""Orders with a text that are all read, instead of looking for it in one order after the other."""
NEAR = 10_000
"""Orders that are looked at one after the other before all with a text are read."""
Conditions = tuple[ColumnElement[bool], ...]


@frozen(eq=False)
class _Source:
    """The orders that have one text: the query for their ids, and the condition of an order.

    ``sorted`` if an index has them in the order of a page.
    """

    ids: Select[Any]
    condition: ColumnElement[bool]
    sorted: bool = False


@frozen
class _Meaning:
    """One thing that a text may mean. An order with it is in all of its ``sources``, of which one is the smallest."""

    sources: Sequence[_Source]
    rarest: _Source
    sizes: Mapping[_Source, int]

    @property
    def size(self) -> int:
        return self.sizes[self.rarest]

    @property
    def is_large(self) -> bool:
        """True if one order after the other is better searched for the meaning."""
        return self.size > FEW and not self.rarest.sorted

    @property
    def others(self) -> Conditions:
        """The conditions of the sources but the smallest."""
        return tuple(source.condition for source in self.sources if source is not self.rarest)


@frozen
class OrderSearch:
    """Reads the orders that match a query."""

    database: Database
    terms: OrderTerms

    async def page(self, query: OrderQuery) -> Sequence[Row[Any]]:
        """Return the rows of a page and one more, to know whether another page follows."""
        if query.q is None:
            branches = [_in_states((state,)) for state in query.states] or [()]
        else:
            states = _in_states(query.states)
            found = await self._found(query, FEW)
            branches = [(*states, *self._cheapest(meaning)) for meaning in found]
            if any(meaning.is_large for meaning in found):
                end = await self.database.rows(_page(query, [states], skip=NEAR))
                if end:
                    near = await self.database.rows(_page(query, branches, until=end[0].at))
                    if len(near) > query.limit:
                        return near
                    branches = [(*states, *self._all(meaning)) for meaning in found]
        return await self.database.rows(_page(query, branches)) if branches else ()

    async def count(self, query: OrderQuery) -> Sequence[StateCount]:
        """Return the number of orders that match in each state."""
        states = query.states or tuple(OrderState)
        if query.q is None:
            each = [select(orders.c.id).where(*_conditions(query), *_in_states((state,))) for state in states]
            sizes = await self._sizes(each, MOST_COUNTED)
            return [_count(state, number) for state, number in zip(states, sizes, strict=True)]
        numbers: dict[str, int] = {}
        more = False
        if meanings := await self._found(query, MOST_COUNTED):
            matching = []
            for meaning in meanings:
                more = more or meaning.size > MOST_COUNTED
                some = (self._among(meaning.rarest.ids.limit(MOST_COUNTED)), *meaning.others)
                matching.append(select(orders.c.id, orders.c.state).where(*some, *_conditions(query)))
            every = union(*matching).subquery()
            rows = await self.database.rows(select(every.c.state, func.count().label("number")).group_by(every.c.state))
            numbers = {row.state: row.number for row in rows}
        return [_count(state, numbers.get(state, 0), more=more) for state in states]

    async def _found(self, query: OrderQuery, most: int) -> Sequence[_Meaning]:
        """Return what the text of ``query`` means, for those meanings that any order has."""
        wanted = self.terms.wanted(query.q or "")
        meanings: list[list[_Source]] = []
        if wanted.id:
            begins = _begins(orders.c.id, (wanted.id,))
            meanings = [[_Source(select(orders.c.id).where(begins), begins)]]
            for party in (orders.c.restaurant_id == wanted.id, orders.c.customer_id == wanted.id):
                meanings.append([_Source(select(orders.c.id).where(party), party, sorted=True)])
        if query.annotations_visible:
            meanings += [[_with_term(texts) for texts in alternative] for alternative in wanted.alternatives]
        sources = [source for meaning in meanings for source in meaning]
        if not sources:
            return ()
        sizes = dict(zip(sources, await self._sizes([each.ids for each in sources], most), strict=True))
        found = [_Meaning(meaning, min(meaning, key=sizes.__getitem__), sizes) for meaning in meanings]
        return [meaning for meaning in found if meaning.size]

    def _cheapest(self, meaning: _Meaning) -> Conditions:
        """Return the conditions of the orders with a meaning."""
        if meaning.rarest.sorted or meaning.is_large:
            return tuple(source.condition for source in meaning.sources)
        return self._all(meaning)

    def _all(self, meaning: _Meaning) -> Conditions:
        """Return the conditions of the orders with a meaning, for which all in its smallest source are read."""
        if meaning.rarest.sorted:
            return (meaning.rarest.condition,)
        return (self._among(meaning.rarest.ids), *meaning.others)

    async def _sizes(self, some: Sequence[Select[Any]], most: int) -> Sequence[int]:
        """Return the number of rows of each; one more than ``most`` for more than that."""
        counted = (select(func.count()).select_from(one.limit(most + 1).subquery()).scalar_subquery() for one in some)
        [found] = await self.database.rows(select(*(one.label(f"c{n}") for n, one in enumerate(counted))))
        return tuple(found)

    def _among(self, ids: Select[Any]) -> ColumnElement[bool]:
        """Build the condition that an order is one of ``ids``, which are read first."""
        if self.database.backend == POSTGRESQL:
            return orders.c.id == any_(func.array(ids.scalar_subquery(), type_=ARRAY(Identifier)))
        return orders.c.id.in_(ids)


def _count(state: OrderState, number: int, *, more: bool = False) -> StateCount:
    return StateCount(state=state, orders=min(number, MOST_COUNTED), more=more or number > MOST_COUNTED)


def _begins(column: ColumnElement[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(and_(column >= text, column < text + LAST) for text in texts))


def _with_term(texts: Sequence[str]) -> _Source:
    here = order_terms.c
    # OFFSET keeps PostgreSQL from joining, so that each order is looked at by itself. An expression of the term keeps
    # both databases from reading all orders with it, for each order.
    of_order = (here.order_id == orders.c.id, _begins(here.term.concat(""), texts))
    has_term = exists(select(here.term).where(*of_order).correlate(orders).offset(0))
    return _Source(select(here.order_id).where(_begins(here.term, texts)), has_term)


def _in_states(states: Sequence[OrderState]) -> Conditions:
    if len(states) == 1:
        return (orders.c.state == states[0].value,)
    return (orders.c.state.in_([state.value for state in states]),) if states else ()


def _conditions(query: OrderQuery) -> Conditions:
    """Return the conditions of ``query`` but states, text and cursor."""
    wanted: list[ColumnElement[bool]] = []
    for column, value in (
        (orders.c.customer_id, query.customer_id),
        (orders.c.restaurant_id, query.restaurant_id),
        (orders.c.shipper_id, query.shipper_id),
    ):
        if value is not None:
            wanted.append(column == value)
    if query.available:
        wanted.append(AVAILABLE)
    if query.created_from is not None:
        wanted.append(orders.c.created_at >= query.created_from)
    if query.created_until is not None:
        wanted.append(orders.c.created_at < query.created_until)
    if query.late:
        wanted.append(_late(query))
    return tuple(wanted)


def _late(query: OrderQuery) -> ColumnElement[bool]:
    if query.at is None:
        return false()
    at, here = query.at, orders.c
    unchanged = (and_(here.state == state.value, here.updated_at < at - after) for state, after in LATE_AFTER.items())
    return or_(here.estimated_at < at, *unchanged)


def _page(
    query: OrderQuery, branches: Sequence[Conditions], *, until: datetime | None = None, skip: int = 0
) -> Select[Any]:
    """Select one row more than the page holds, of orders up to ``until``. Several branches may have the same orders.

    With ``skip``, select instead the time of the order after so many.
    """
    here, longest = orders.c, query.sort is OrderSort.LONGEST_IN_STATE
    at = here.updated_at if longest else here.created_at
    newest = query.sort is OrderSort.NEWEST
    conditions = list(_conditions(query))
    if query.cursor is not None:
        time, order_id = decode_cursor(query.cursor, query)
        after = tuple_(literal(time, Timestamp()), literal(order_id, here.id.type))
        conditions.append(tuple_(at, here.id) < after if newest else tuple_(at, here.id) > after)

    if until is not None:
        conditions.append(at >= until if newest else at <= until)

    def sorted_page(page: Select[Any], *by: ColumnElement[Any]) -> Select[Any]:
        return page.order_by(*(it.desc() if newest else it for it in by))

    if skip:
        [those] = branches
        return sorted_page(select(at.label("at")).where(*conditions, *those), at, here.id).offset(skip).limit(1)
    limit = query.limit + 1
    if len(branches) == 1:
        return sorted_page(select(orders).where(*conditions, *branches[0]), at, here.id).limit(limit)
    parts = [
        select(
            sorted_page(select(here.id, at.label("at")).where(*conditions, *each), at, here.id).limit(limit).subquery()
        )
        for each in branches
    ]
    every = union_all(*parts).subquery()
    found = sorted_page(select(every.c.id).group_by(every.c.id, every.c["at"]), every.c["at"], every.c.id).limit(limit)
    return sorted_page(select(orders).join(found.subquery("found"), text("found.id = orders.id")), at, here.id)
