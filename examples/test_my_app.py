"""A test of an application that uses orderflow: everything in RAM, nothing to install, start or clean up.

pytest examples/test_my_app.py
"""

import asyncio
from decimal import Decimal

from orderflow import Money, OrderDelivered, OrderEvent, OrderFlow, OrderLine


class Loyalty:
    """Some application: a guest gets a point for every meal that arrived."""

    def __init__(self, flow: OrderFlow) -> None:
        self.points: dict[str, int] = {}
        flow.on(OrderDelivered.type, name="loyalty")(self.reward)

    async def reward(self, event: OrderEvent) -> None:
        self.points[event.customer_id] = self.points.get(event.customer_id, 0) + 1


def test_a_delivered_meal_gives_a_point() -> None:
    async def scene() -> None:
        async with OrderFlow.in_memory() as flow:
            loyalty = Loyalty(flow)
            euro = Money(Decimal("9.90"), "EUR")
            soup = OrderLine(food_id="S", food_name="Soup", price=euro, quantity=1, discount=Money.zero("EUR"))

            order = await flow.create_order(customer_id="ann", restaurant_id="R7", lines=[soup], currency="EUR")
            await flow.transition_order_state(order.id, "preparing")
            await flow.transition_order_state(order.id, "on_the_way", shipper_id="S3")
            await flow.transition_order_state(order.id, "delivered")
            await flow.settled()

            assert loyalty.points == {"ann": 1}

    asyncio.run(scene())
