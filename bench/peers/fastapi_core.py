"""``POST /v1/orders`` with FastAPI and SQLAlchemy Core: two inserts and a commit for each request, without sessions.

Body, tables, pool and response are those of ``fastapi_orm``, and it leaves out the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Response
from sqlalchemy import insert

from .fastapi_orm import NewOrder, Order, OutboxEvent, engine

_ORDER = insert(Order.__table__)  # type: ignore[arg-type]
_EVENT = insert(OutboxEvent.__table__)  # type: ignore[arg-type]


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=_lifespan)


@app.get("/livez")
async def livez() -> str:
    return "ok"


@app.post("/v1/orders", status_code=201)
async def create(new: NewOrder, response: Response) -> dict[str, Any]:
    now, order_id = datetime.now(UTC), str(uuid4())
    lines = [line.model_dump(mode="json") for line in new.orderDetails]
    total = sum((line.price * line.quantity - line.discount for line in new.orderDetails), Decimal(0))
    order = {
        "id": order_id,
        "customer_id": new.userId,
        "restaurant_id": new.restaurantId,
        "lines": lines,
        "total": total,
        "currency": new.currency,
        "payment_method": new.paymentMethod,
        "payment_status": "PENDING",
        "state": "CREATED",
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    body = {"orderId": order_id, "restaurantId": new.restaurantId, "totalPrice": str(total), "orderDetails": lines}
    event = {"event_id": str(uuid4()), "order_id": order_id, "type": "order.created", "body": body, "created_at": now}
    async with engine.begin() as connection:
        await connection.execute(_ORDER, order)
        await connection.execute(_EVENT, event)
    response.headers["Location"] = f"/v1/orders/{order_id}"
    return {**body, "userId": new.userId, "state": "CREATED", "version": 1, "createdAt": now.isoformat()}
