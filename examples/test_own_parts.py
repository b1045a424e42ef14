"""The parts of your own pass the suites that orderflow's own parts pass: pip install 'orderflow-service[testing]'.

pytest examples/test_own_parts.py
"""

import json
from collections.abc import AsyncIterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import pytest_asyncio
from orderflow import OrderCreated, OrderEvent, OrderFlow
from orderflow.adapters import wire
from orderflow.testing import (
    EventPublisherContract,
    ManualClock,
    NotificationChannelContract,
    OrderRepositoryContract,
    PaymentGatewayContract,
    PaymentGatewayCrashContract,
)
from orderflow.testing.orders import line
from own_channel import SmsChannel
from own_gateway import LedgerGateway
from own_handlers import ticket
from own_publisher import FilePublishing
from own_repository import JsonUnitOfWork

pytest_plugins = ["orderflow.testing.plugin"]


class TestLedgerGateway(PaymentGatewayContract, PaymentGatewayCrashContract):
    @pytest.fixture
    def gateway(self, tmp_path: Path) -> LedgerGateway:
        return LedgerGateway(str(tmp_path / "ledger.db"))


class TestSmsChannel(NotificationChannelContract):
    @pytest_asyncio.fixture
    async def channel(self) -> AsyncIterator[SmsChannel]:
        provider = HTTPServer(("127.0.0.1", 0), Provider)
        Thread(target=provider.serve_forever, daemon=True).start()
        channel = SmsChannel(f"http://127.0.0.1:{provider.server_port}/", {"customer:C1": "+43 1 5550000"})
        yield channel
        await channel.close()
        provider.shutdown()

    @pytest_asyncio.fixture
    async def channel_that_is_down(self) -> AsyncIterator[SmsChannel]:
        channel = SmsChannel("http://127.0.0.1:9/", {})
        yield channel
        await channel.close()


class Provider(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert json.loads(self.rfile.read(int(self.headers["Content-Length"])))["to"] == "+43 1 5550000"
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


class TestJsonOrders(OrderRepositoryContract, EventPublisherContract):
    @pytest.fixture
    def unit_of_work(self, tmp_path: Path) -> JsonUnitOfWork:
        return JsonUnitOfWork(tmp_path / "orders.db")

    @pytest.fixture
    def published(self, unit_of_work: JsonUnitOfWork) -> Any:
        async def published() -> Sequence[OrderEvent]:
            return list(unit_of_work.published)

        return published


class TestFilePublisher(EventPublisherContract):
    @pytest_asyncio.fixture
    async def unit_of_work(self, tmp_path: Path) -> AsyncIterator[Any]:
        async with OrderFlow.in_memory(publisher=FilePublishing(tmp_path / "events.jsonl").publisher) as flow:
            yield flow.container.unit_of_work()

    @pytest.fixture
    def published(self, tmp_path: Path) -> Any:
        async def published() -> Sequence[OrderEvent]:
            file = tmp_path / "events.jsonl"
            lines = [line.split(b" ", 1) for line in file.read_bytes().splitlines()] if file.exists() else []
            return [wire.decode(body, sequence=int(sequence)) for sequence, body in lines]

        return published


@pytest.mark.asyncio
async def test_a_new_order_is_a_ticket(
    orderflow: OrderFlow, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PRINTER", str(tmp_path / "tickets.txt"))
    orderflow.on(OrderCreated, name="kitchen")(ticket)

    order = await orderflow.create_order(customer_id="C1", restaurant_id="R7", lines=[line()], currency="EUR")
    await orderflow.settled()

    assert order.created_at == clock.now
    assert (tmp_path / "tickets.txt").read_text() == f"{order.id} 2 x Pizza Margherita\n"
