"""``find``: finding orders among a million, by text, state and lateness, sorted and counted (PostgreSQL)."""

from itertools import product
from typing import Any

import asyncpg
from attrs import evolve
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.queries import OrderQuery, OrderSort
from orderflow.domain.actor import Actor
from orderflow.domain.annotations import Annotations
from orderflow.domain.lifecycle import OrderState
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from .creating import ADMIN, new_order
from .finding import Effort, Finding
from .machine import Usage
from .servers import Servers

ORDERS = 1_000_000
OPEN_SHARE = 100
"""One order of so many is open: the newest."""
ROUNDS, REPEATS = 3, 20
MILLISECONDS = 100.0
RESTAURANT = Actor.parse("restaurant:R7")
_SYLLABLES = ["ba", "do", "fe", "ga", "ju", "la", "mi", "no", "pe", "ra", "su", "ti"]
FIRST = ["".join(parts) for parts in product(_SYLLABLES, repeat=2)]
LAST = ["".join(parts) for parts in product(_SYLLABLES, repeat=3)]
FOUND = (
    ("an id", OrderQuery(q="019" + f"{ORDERS // 2:033d}")),
    ("the beginning of all ids", OrderQuery(q="019")),
    ("a restaurant", OrderQuery(q="R7")),
    ("a telephone number", OrderQuery(q="+49 30 0123456")),
    ("the beginning of 10 numbers", OrderQuery(q="030 012345")),
    ("the beginning of 10,000 numbers", OrderQuery(q="030 012")),
    ("a last name of 600 orders", OrderQuery(q="Badofe")),
    ("a name of 14,000 orders", OrderQuery(q="Bado")),
    ("the beginning of 80,000 names", OrderQuery(q="ba")),
    ("a first and a last name", OrderQuery(q="bado badofe")),
    ("a value that all orders have", OrderQuery(q="web")),
    ("a name among cancelled orders", OrderQuery(q="badofe", state=OrderState.CANCELLED)),
    ("nothing", OrderQuery(q="xyz")),
    ("three states", OrderQuery(state=(OrderState.PREPARING, OrderState.WAITING_FOR_SHIPPER, OrderState.ON_THE_WAY))),
    ("late ones", OrderQuery(late=True)),
    ("those longest in their state", OrderQuery(sort=OrderSort.LONGEST_IN_STATE)),
    ("the oldest", OrderQuery(sort=OrderSort.OLDEST)),
)


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    url, orders = servers.database(), effort.of(ORDERS, least=1_000)
    container = container_for(Settings(database_url=url, phone_region="DE"))
    async with opened(container):
        await _fill(url, container, orders)
        list_orders = container.use_cases().list_orders
        found = []
        for what, query in FOUND:
            for by in (ADMIN, RESTAURANT):
                page = await list_orders(query, by=by)
                whose = "" if by is ADMIN else " by a restaurant"
                found.append(
                    Finding(
                        what=f"finding {what}{whose}",
                        values=await _milliseconds(lambda query=query, by=by: list_orders(query, by=by), effort),
                        unit="ms",
                        ceiling=MILLISECONDS,
                        aside=f"{len(page.orders)} orders on the page",
                    )
                )
        for what, query in (("all orders", OrderQuery()), ("late ones", OrderQuery(late=True)), *FOUND[6:9]):
            counted = evolve(query, sort=OrderSort.NEWEST)
            found.append(
                Finding(
                    what=f"counting {what} by state",
                    values=await _milliseconds(lambda query=counted: list_orders.count(query, by=ADMIN), effort),
                    unit="ms",
                    ceiling=MILLISECONDS,
                )
            )
    return found


async def _milliseconds(find: Any, effort: Effort) -> list[float]:
    """Milliseconds of processor time of client and server for one: the clock's depend on what else runs."""
    took = []
    for _ in range(ROUNDS + 1):
        before, many = Usage.now(), effort.of(REPEATS, least=3)
        for _ in range(many):
            await find()
        took.append((Usage.now().own - before.own) / many * 1_000)
    return took[1:]


async def _fill(url: str, container: Any, orders: int) -> None:
    """Place one order, and have the server copy it with the names and numbers of a million people."""
    annotations = Annotations.of(customer_name="Ann", customer_phone="1", metadata={"shop": "web"})
    new: NewOrder = evolve(new_order(0), annotations=annotations)
    await container.use_cases().create_order(new, by=ADMIN)
    connection: Any = await asyncpg.connect(url)
    names = [name for (name,) in await connection.fetch(_COLUMNS)]
    first, last = (
        f"($1::text[])[(1 + n::bigint * 7919 % {len(FIRST)})::int]",
        f"($2::text[])[(1 + n::bigint * 104729 % {len(LAST)})::int]",
    )
    open_from = orders - orders // OPEN_SHARE
    open_states = "(ARRAY['waiting_for_shipper', 'preparing', 'on_the_way'])[1 + n % 3]"
    at = f"now() - ({orders} - n) * interval '3 seconds'"
    changed = {
        "id": "'019' || lpad(n::text, 33, '0')",
        "created_at": at,
        "updated_at": at,
        "state": f"CASE WHEN n >= {open_from} THEN {open_states} WHEN n % 33 = 0 THEN 'cancelled' ELSE 'delivered' END",
        "customer_id": "'C' || n % 99991",
        "restaurant_id": "'R' || n % 97",
        "annotations": "json_build_object('customer_name', initcap(" + first + ") || ' ' || initcap(" + last + "), "
        "'customer_phone', '030 ' || lpad((n % 10000000)::text, 7, '0'), 'metadata', json_build_object('shop', 'web'))",
    }
    values = ", ".join(changed.get(name, f"it.{name}") for name in names)
    rows = f"generate_series(1, {orders}) AS n"
    try:
        await connection.execute("CREATE TEMP TABLE one AS SELECT * FROM orders; DELETE FROM orders")
        await connection.execute("DELETE FROM order_terms; DROP INDEX order_terms_term_order_id")
        await connection.execute(
            f"INSERT INTO orders ({', '.join(names)}) SELECT {values} FROM {rows}, one AS it", FIRST, LAST, timeout=3600
        )
        digits = "lpad((n % 10000000)::text, 7, '0')"
        terms = (f"'w' || {first}", f"'w' || {last}", f"'+4930' || {digits}", f"'030' || {digits}", "'wweb'")
        await connection.execute(
            f"INSERT INTO order_terms (order_id, term) SELECT {changed['id']}, unnest(ARRAY[{', '.join(terms)}]) "
            f"FROM {rows} "
            "ON CONFLICT DO NOTHING",
            FIRST,
            LAST,
            timeout=3600,
        )
        await connection.execute("CREATE INDEX order_terms_term_order_id ON order_terms (term, order_id)", timeout=3600)
        await connection.execute("VACUUM ANALYZE", timeout=3600)
    finally:
        await connection.close()


_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped"
