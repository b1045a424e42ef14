"""``POST /v1/orders`` with FastAPI and SQLAlchemy's ORM: an order, a row of an outbox, and a commit for each request.

It validates the same body, writes the same columns and indexes, and answers with the order. It has neither tokens nor
idempotency keys, limits, metrics, log lines or correlation ids, and its outbox has no order.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, DateTime, Index, Integer, Numeric, Text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Price = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]
URL = os.environ["PEER_DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:", 1)
POOL = int(os.environ.get("PEER_POOL_SIZE", "10"))
engine = create_async_engine(URL, pool_size=POOL, max_overflow=0, pool_timeout=60)
session = async_sessionmaker(engine, expire_on_commit=False)


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Line(Model):
    foodId: Identifier
    foodName: Annotated[str, Field(min_length=1, max_length=200)]
    price: Price
    quantity: Annotated[int, Field(ge=1, le=1000)]
    discount: Price = Decimal(0)


class NewOrder(Model):
    userId: Identifier
    restaurantId: Identifier
    orderDetails: Annotated[list[Line], Field(min_length=1, max_length=100)]
    paymentMethod: Literal["cash", "credit_card", "debit_card", "card"]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[str] = mapped_column(Text)
    restaurant_id: Mapped[str] = mapped_column(Text)
    shipper_id: Mapped[str | None] = mapped_column(Text)
    lines: Mapped[Any] = mapped_column(JSON)
    total: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    currency: Mapped[str] = mapped_column(Text)
    payment_method: Mapped[str] = mapped_column(Text)
    payment_status: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "customer_id", "created_at", "id"),
        Index(None, "restaurant_id", "created_at", "id"),
        Index(None, "state", "created_at", "id"),
    )


class OutboxEvent(Base):
    __tablename__ = "outbox"
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text)
    order_id: Mapped[str] = mapped_column(Text, index=True)
    type: Mapped[str] = mapped_column(Text)
    body: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


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
    order = Order(
        id=order_id,
        customer_id=new.userId,
        restaurant_id=new.restaurantId,
        lines=lines,
        total=total,
        currency=new.currency,
        payment_method=new.paymentMethod,
        payment_status="PENDING",
        state="CREATED",
        version=1,
        created_at=now,
        updated_at=now,
    )
    body = {"orderId": order_id, "restaurantId": new.restaurantId, "totalPrice": str(total), "orderDetails": lines}
    event = OutboxEvent(event_id=str(uuid4()), order_id=order_id, type="order.created", body=body, created_at=now)
    async with session() as work:
        work.add_all([order, event])
        await work.commit()
    response.headers["Location"] = f"/v1/orders/{order_id}"
    return {**body, "userId": new.userId, "state": order.state, "version": 1, "createdAt": now.isoformat()}
