"""Housekeeping of a running process: it deletes what is old, and stores when tokens were used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.actor import Actor
from orderflow.domain.events import OrderLine
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.validation import Address
from orderflow.entrypoints import processes
from orderflow.entrypoints.container import Container, container_for
from orderflow.entrypoints.processes import _housekeeping
from orderflow.entrypoints.settings import Settings

from tests.support.waiting import eventually_async

BOSS = Actor.parse("admin:boss")
LINE = OrderLine(
    food_id="F1", food_name="Pizza", price=Money(Decimal(10), "EUR"), quantity=1, discount=Money.zero("EUR")
)


@asynccontextmanager
async def kept(container: Container) -> AsyncIterator[None]:
    """Housekeeping runs inside."""
    stop = asyncio.Event()
    task = asyncio.create_task(_housekeeping(container, stop))
    yield
    stop.set()
    await task


async def test_a_process_forgets_the_addresses_of_orders_that_ended_long_ago() -> None:
    week_ago = datetime.now(UTC) - timedelta(days=7)
    container = container_for(Settings(database_url="memory://", retention_address_days=5), clock=lambda: week_ago)
    use_cases = container.use_cases()
    for name in ("ended", "open"):
        new = NewOrder(
            order_id=name,
            customer_id="C1",
            restaurant_id="R1",
            lines=[LINE],
            payment_method=PaymentMethod.CASH,
            currency="EUR",
            address=Address(street="Main Street 1", city="Springfield"),
        )
        await use_cases.create_order(new, by=BOSS)
    await use_cases.cancel_order("ended", "late", by=BOSS)

    async def forgotten() -> bool:
        return (await use_cases.get_order("ended", by=BOSS)).address is None

    async with kept(container):
        await eventually_async(forgotten, that="the address is forgotten")

    assert (await use_cases.get_order("open", by=BOSS)).address is not None


async def test_a_process_stores_when_a_token_was_used() -> None:
    container = container_for(Settings(database_url="memory://"))
    await container.storage().tokens.add("d1", BOSS, label="", at=datetime.now(UTC))
    await container.tokens().find("d1")

    async def used() -> bool:
        [token] = await container.storage().tokens.list()
        return token.last_used_at is not None

    async with kept(container):
        await eventually_async(used, that="the use is stored")


async def test_payments_are_settled_while_much_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "HOUSEKEEPING_SECONDS", 0.01)
    container = container_for(Settings(database_url="memory://"))
    settled = 0

    async def settle_payments() -> None:
        nonlocal settled
        settled += 1

    async def forget(now: datetime) -> bool:
        await asyncio.sleep(0)
        return True

    use_cases = container.use_cases()
    monkeypatch.setattr(container, "use_cases", lambda: evolve(use_cases, settle_payments=settle_payments))
    monkeypatch.setattr(container, "forget_old_data", lambda: forget)

    async with kept(container):
        await eventually_async(lambda: settled > 2, that="payments are settled again and again")
