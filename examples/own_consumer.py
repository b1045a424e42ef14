"""A consumer of your own: a kitchen printer that prints a ticket for every new order, and one for every cancelled.

    python examples/own_consumer.py [DATABASE_URL]

It begins with the first event there ever was. How far it has come is kept under its name, so that it goes on there
when it is started again; it gets every event at least once, in each order's own order.
"""

import asyncio
import sys

from orderflow import OrderCancelled, OrderCreated, OrderEvent, OrderFlow


async def main(database_url: str, stop: asyncio.Event) -> None:
    async with OrderFlow.open(database_url) as flow:

        @flow.on("order.created", "order.cancelled", name="kitchen-printer")
        async def ticket(event: OrderEvent) -> None:
            match event:
                case OrderCreated(restaurant_id=restaurant, lines=lines):
                    wanted = ", ".join(f"{line.quantity} x {line.food_name}" for line in lines)
                    print(f"{restaurant}: {event.order_id}: {wanted}")
                case OrderCancelled(reason=reason):
                    print(f"{event.order_id}: stop, {reason}")

        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main((sys.argv[1:] or ["sqlite:///orderflow.db"])[0], asyncio.Event()))
