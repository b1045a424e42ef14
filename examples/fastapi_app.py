"""Orders inside a FastAPI application of your own.

    pip install . fastapi uvicorn
    uvicorn --app-dir examples fastapi_app:app

The application opens orderflow when it starts and closes it when it ends; settings come from ORDERFLOW_* in the
environment. The three consumers run in the same process.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from orderflow import (
    Actor,
    CommandRefused,
    Conflict,
    InvalidInput,
    Money,
    NotFound,
    Order,
    OrderFlow,
    OrderFlowError,
    OrderLine,
    Role,
)
from pydantic import BaseModel


class Lunch(BaseModel):
    guest: str
    dish: str
    price: Decimal


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with OrderFlow.open(consumers=["notifications", "analytics", "inventory"]) as flow:
        app.state.flow = flow
        yield


app = FastAPI(lifespan=lifespan)


def the_flow(request: Request) -> OrderFlow:
    flow: OrderFlow = request.app.state.flow
    return flow


Flow = Annotated[OrderFlow, Depends(the_flow)]


@app.post("/lunches", status_code=201)
async def order_lunch(lunch: Lunch, flow: Flow) -> dict[str, Any]:
    price = Money(lunch.price, "EUR")
    line = OrderLine(food_id=lunch.dish, food_name=lunch.dish, price=price, quantity=1, discount=Money.zero("EUR"))
    order = await flow.create_order(customer_id=lunch.guest, restaurant_id="canteen", lines=[line], currency="EUR")
    return shown(order)


@app.delete("/lunches/{order_id}")
async def cancel_lunch(order_id: str, guest: str, flow: Flow) -> dict[str, Any]:
    return shown(await flow.cancel_order(order_id, "changed my mind", by=Actor(Role.CUSTOMER, guest)))


@app.exception_handler(OrderFlowError)
async def refused(_: Request, error: OrderFlowError) -> JSONResponse:
    statuses = {InvalidInput: 422, NotFound: 404, CommandRefused: 409, Conflict: 409}
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 503)
    return JSONResponse({"code": error.code, "detail": str(error)}, status_code=status)


def shown(order: Order) -> dict[str, Any]:
    return {"id": order.id, "state": order.state, "total": str(order.total)}
