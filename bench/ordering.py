"""``order``: whole orders over HTTP, published, and handled by all three consumers, each part a process of its own.

Each caller creates an order, assigns a shipper, sends it out and delivers it, one request after the other on its own
connection. The load comes from this process, on the same cores.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import asyncpg
from attrs import define, field
from orderflow.entrypoints.settings import CONSUMERS
from tests.support.stack import production

from .finding import Effort, Finding
from .memory import api
from .servers import Servers, new_topic

ORDERS = 1_500
CALLERS = 32
STEP_STATUS = (201, 200, 200, 200)
WARM_UP = 32
UNLIMITED = {"ORDERFLOW_HTTP_REQUESTS_PER_SECOND": "100000", "ORDERFLOW_HTTP_MAX_REQUESTS_PER_CALLER": "100000"}
_LOOK_SECONDS = 0.002
_HANDLED = """
SELECT e.order_id FROM unnest($1::text[]) AS wanted(order_id)
CROSS JOIN LATERAL (SELECT * FROM order_events WHERE order_id = wanted.order_id ORDER BY sequence DESC LIMIT 1) AS e
JOIN cursors ON cursors.bucket = e.bucket AND cursors.position >= e.position AND cursors.reader = ANY($2)
GROUP BY e.order_id HAVING count(*) = cardinality($2)
"""
"""Those of the orders whose last event every consumer has handled: a cursor moves in the transaction of the effects."""


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    bootstrap_servers, database_url = servers.kafka.bootstrap_servers, servers.empty_database()
    lived = await asyncio.to_thread(_lived, servers.folder(), database_url, bootstrap_servers, effort)
    aside = f"{CALLERS} callers, four requests an order, load from the same cores"
    return [
        Finding(what="whole orders over HTTP", values=[it.rate for it in lived], unit="orders/s", aside=aside),
        Finding(
            what="  until the last effect of the last",
            values=[it.effects_rate for it in lived],
            unit="orders/s",
            aside="relay and three consumers, each a process of its own",
        ),
        Finding(what="  from the answer to the last effect, p50", values=[it.late(0.5) for it in lived], unit="ms"),
        Finding(what="  from the answer to the last effect, p99", values=[it.late(0.99) for it in lived], unit="ms"),
    ]


def _lived(folder: Path, database_url: str, bootstrap_servers: str, effort: Effort) -> list["_Turn"]:
    with production(folder, database_url, bootstrap_servers, new_topic(), **UNLIMITED) as stack:
        url = api(stack)
        asyncio.run(_turn(url, database_url, WARM_UP))
        return [asyncio.run(_turn(url, database_url, effort.of(ORDERS, least=20))) for _ in range(effort.pairs)]


@define
class _Turn:
    """Times by order: when the last answer came, and when its last effect was seen."""

    began: float = field(factory=perf_counter)
    answered: dict[str, float] = field(factory=dict)
    handled: dict[str, float] = field(factory=dict)

    @property
    def rate(self) -> float:
        return len(self.answered) / (max(self.answered.values()) - self.began)

    @property
    def effects_rate(self) -> float:
        return len(self.handled) / (max(self.handled.values()) - self.began)

    def late(self, share: float) -> float:
        """Milliseconds within which this share of the orders had their last effect."""
        late = sorted(self.handled[order_id] - at for order_id, at in self.answered.items())
        return max(0.0, late[min(len(late) - 1, round(share * len(late)))]) * 1000


async def _turn(url: str, database_url: str, orders: int) -> _Turn:
    turn, numbers = _Turn(), iter(range(orders))
    host, port = url.removeprefix("http://").split(":")

    async def caller() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            for _ in numbers:
                order_id = uuid4().hex
                for status, request in zip(STEP_STATUS, _requests(order_id), strict=True):
                    writer.write(request)
                    await _answered(reader, status)
                turn.answered[order_id] = perf_counter()
        finally:
            writer.close()

    ended = asyncio.Event()
    looking = asyncio.create_task(_look(turn, database_url, ended))
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    ended.set()
    async with asyncio.timeout(120):
        await looking
    return turn


async def _look(turn: _Turn, database_url: str, ended: asyncio.Event) -> None:
    """Note when the last effect of each order is committed, until all have theirs."""
    connection = await asyncpg.connect(database_url)
    try:
        while not ended.is_set() or len(turn.handled) < len(turn.answered):
            waiting = [order_id for order_id in turn.answered if order_id not in turn.handled]
            rows: Sequence[Any] = await connection.fetch(_HANDLED, waiting, list(CONSUMERS)) if waiting else ()
            now = perf_counter()
            turn.handled.update({row["order_id"]: now for row in rows})
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await connection.close()


def _requests(order_id: str) -> tuple[bytes, ...]:
    lines = [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2}]
    order = {"orderId": order_id, "userId": "C1", "restaurantId": "R7", "orderDetails": lines, "paymentMethod": "cash"}
    path = f"/v1/orders/{order_id}"
    return (
        _request("POST", "/v1/orders", order),
        _request("PUT", f"{path}/shipper", {"shipperId": "S1"}),
        _request("PATCH", f"{path}/state", {"state": "on_the_way"}),
        _request("PATCH", f"{path}/state", {"state": "delivered"}),
    )


def _request(method: str, path: str, body: Mapping[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Actor: admin:bench\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def _answered(reader: asyncio.StreamReader, status: int) -> None:
    """Read a whole answer. Raises RuntimeError for another status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if int(head.split(b" ", 2)[1]) != status:
        raise RuntimeError(f"an order was refused: {head!r} {body!r}")
