"""Orders from Celery tasks. Each worker process has a flow of its own, opened after the fork.

    pip install . celery redis
    celery --workdir examples --app celery_app worker

Settings come from ORDERFLOW_* in the environment, the broker from CELERY_BROKER_URL. A task's id is its order's id, so
a task that Celery runs twice makes one order.
"""

import os
from decimal import Decimal
from typing import Any

from celery import Celery, Task
from celery.signals import worker_process_init, worker_process_shutdown
from orderflow import Money, OrderFlow, OrderLine, SyncOrderFlow, Unavailable

broker = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
app = Celery("lunches", broker=broker, backend=broker)
app.conf.task_acks_late = True
flows: list[SyncOrderFlow] = []


@worker_process_init.connect
def open_flow(**_: Any) -> None:
    flows.append(OrderFlow.open_sync())


@worker_process_shutdown.connect
def close_flow(**_: Any) -> None:
    flows.pop().close()


@app.task(bind=True, autoretry_for=(Unavailable,), retry_backoff=True, max_retries=8)
def order_lunch(self: Task, guest: str, dish: str, price: str) -> str:
    line = OrderLine(
        food_id=dish, food_name=dish, price=Money(Decimal(price), "EUR"), quantity=1, discount=Money.zero("EUR")
    )
    order = flows[0].create_order(
        order_id=self.request.id, customer_id=guest, restaurant_id="canteen", lines=[line], currency="EUR"
    )
    return order.id


@app.task(autoretry_for=(Unavailable,), retry_backoff=True, max_retries=8)
def cancel_lunch(order_id: str, reason: str) -> str:
    return flows[0].cancel_order(order_id, reason).state
