"""Orders inside a Flask application of your own, each committed together with a row of the application.

    pip install . flask
    flask --app examples/flask_app run

Settings come from ORDERFLOW_* in the environment; the application's table is in the same database. On PostgreSQL also
``pip install '.[postgres]' psycopg``. The flow is opened when a process first needs it, after any fork of the server.
"""

import os
from decimal import Decimal
from functools import cache
from threading import Lock
from typing import Any

from flask import Flask, Response, jsonify, request
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
    SyncOrderFlow,
    load_settings,
)
from sqlalchemy import Column, Engine, MetaData, Table, Text, create_engine, insert, select

app = Flask(__name__)
tables = MetaData()
lunches = Table("lunches", tables, Column("order_id", Text, primary_key=True), Column("dish", Text, nullable=False))
opening = Lock()


@cache
def flow_of(process: int) -> SyncOrderFlow:
    return OrderFlow.open_sync(consumers=["notifications", "analytics", "inventory"])


def the_flow() -> SyncOrderFlow:
    """The flow of this process, which is closed when the process ends."""
    with opening:
        return flow_of(os.getpid())


@cache
def the_engine() -> Engine:
    engine = create_engine(load_settings().database_url)
    tables.create_all(engine)
    return engine


@app.post("/lunches")
def order_lunch() -> tuple[Response, int]:
    lunch: dict[str, Any] = request.get_json()
    price = Money(Decimal(lunch["price"]), "EUR")
    line = OrderLine(
        food_id=lunch["dish"], food_name=lunch["dish"], price=price, quantity=1, discount=Money.zero("EUR")
    )
    flow = the_flow()
    with the_engine().begin() as connection, flow.joining(connection) as orders:
        order = orders.create_order(customer_id=lunch["guest"], restaurant_id="canteen", lines=[line], currency="EUR")
        connection.execute(insert(lunches).values(order_id=order.id, dish=lunch["dish"]))
    return jsonify(shown(order)), 201


@app.get("/lunches")
def list_lunches() -> Response:
    with the_engine().connect() as connection:
        rows = connection.execute(select(lunches)).all()
    return jsonify([{**shown(the_flow().get_order(row.order_id)), "dish": row.dish} for row in rows])


@app.delete("/lunches/<order_id>")
def cancel_lunch(order_id: str) -> Response:
    guest = Actor(Role.CUSTOMER, request.args["guest"])
    return jsonify(shown(the_flow().cancel_order(order_id, "changed my mind", by=guest)))


@app.errorhandler(OrderFlowError)
def refused(error: OrderFlowError) -> tuple[Response, int]:
    statuses = {InvalidInput: 422, NotFound: 404, CommandRefused: 409, Conflict: 409}
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 503)
    return jsonify({"code": error.code, "detail": str(error)}), status


def shown(order: Order) -> dict[str, str]:
    return {"id": order.id, "state": order.state, "total": str(order.total)}
