"""Take orders from inside a program of your own: every change becomes an event.

    python examples/publish_by_embedding.py [DATABASE_URL]

Without an address the orders are kept in orderflow.db here. With a database that a relay looks after
(``orderflow relay``), the same events stand on Kafka a moment later.
"""

import asyncio
import sys
from decimal import Decimal

from orderflow import Money, OrderFlow, OrderLine


async def main(database_url: str) -> str:
    pizza = OrderLine(
        food_id="pizza-1",
        food_name="Pizza Margherita",
        price=Money(Decimal("12.50"), "EUR"),
        quantity=2,
        discount=Money.zero("EUR"),
    )
    async with OrderFlow.open(database_url) as flow:
        order = await flow.create_order(customer_id="C1", restaurant_id="R7", lines=[pizza], currency="EUR")
        await flow.assign_shipper(order.id, "S3")
        await flow.transition_order_state(order.id, "on_the_way")
        order = await flow.transition_order_state(order.id, "delivered")

        print(f"order {order.id} is {order.state}, {order.total} {order.payment.status} by {order.payment.method}")
        for entry in await flow.timeline(order.id):
            print(f"  {entry.record.sequence}. {entry.event.type} (bucket {entry.record.bucket})")
    return order.id


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2] or ["sqlite:///orderflow.db"]))
