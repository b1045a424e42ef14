"""A consumer of your own, run next to the shipped ones: it appends a line for each new order to a file.

ORDERFLOW_CONSUMERS=kitchen=own_handlers:ticket orderflow consume kitchen
"""

import os

from orderflow import OrderCreated, consumer


@consumer(OrderCreated)
def ticket(event: OrderCreated) -> None:
    with open(os.environ.get("SHOP_PRINTER", "tickets.txt"), "a", encoding="utf-8") as printer:
        printer.write(f"{event.order_id} " + ", ".join(f"{it.quantity} x {it.food_name}" for it in event.lines) + "\n")
