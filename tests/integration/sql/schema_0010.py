"""A database of schema version 0010 with rows in every table, as the release of that schema wrote them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import frozen
from orderflow.adapters.sql import schema
from orderflow.adapters.sql.commit.batch import ORDER
from orderflow.adapters.sql.database import Database
from orderflow.adapters.sql.orders import row_of
from orderflow.application.event_log.records import LogRecord
from orderflow.domain.order import Order
from orderflow.testing.consumers.shop import Shop

from tests.unit.domain.actors import AT

VERSION = "0010"
LATER = AT + timedelta(minutes=5)
LATER_COLUMNS = {"annotations", "refund_requested", "refund_declined", "refunded"}
"""Columns of orders that VERSION does not have."""
TRACE = {"correlation_id": "c1", "traceparent": "00-1"}


@frozen
class FilledDatabase:
    """The ``orders`` and ``records`` that the database has, and all rows by table."""

    orders: Mapping[str, Order]
    records: Sequence[LogRecord]
    rows: Mapping[str, Sequence[Mapping[str, Any]]]


async def filled(url: str) -> FilledDatabase:
    """Migrate the database to VERSION, and fill each of its tables."""
    await schema.upgrade(url, to=VERSION)
    shop = Shop()
    await shop.live("O1")
    await shop.order("O2")
    await shop.call_off("O2")
    records = await shop.records()
    orders = await shop.storage.audit.many(["O1", "O2"])
    heads = await shop.storage.log.heads()
    made = FilledDatabase(orders, records, rows(orders, records))
    database = Database.at(url, pool_size=1)
    async with database.writing() as connection:
        dialect = connection.dialect.name
        for table, its_rows in made.rows.items():
            for row in its_rows:
                names = ", ".join(f'"{name}"' for name in row)
                values = ", ".join(_literal(value, dialect) for value in row.values())
                await connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({values})")
        for bucket, position in heads.items():
            await connection.exec_driver_sql(f"UPDATE log_heads SET position = {position} WHERE bucket = {bucket}")
    await database.close()
    return made


def _literal(value: object, dialect: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"x'{value.hex()}'" if dialect == "sqlite" else f"'\\x{value.hex()}'"
    if isinstance(value, dict | list):
        value = json.dumps(value)
    elif isinstance(value, datetime):
        value = value.isoformat(timespec="microseconds")
    elif isinstance(value, Decimal):
        value = format(value, "f")
    return "'" + str(value).replace("'", "''") + "'"


def rows(orders: Mapping[str, Order], records: Sequence[LogRecord]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table of VERSION but ``log_heads``, which the migrations fill."""
    event = {name: value for name, value in records[0]._asdict().items() if name != "epoch"}
    failed = {"message": "it broke", "trace": "Traceback", "first_failed_at": AT, "last_failed_at": LATER}
    progress = [
        {
            "order_id": order_id,
            "restaurant_id": "R1",
            "total": "12.50",
            "total_e4": 125_000,
            "currency": "EUR",
            "state": "preparing",
            "since": LATER,
            "created_at": AT,
            "created_minute": int(AT.timestamp()) // 60,
            "waiting_for_shipper_us": 300_000_000,
            "events": 2,
        }
        for order_id in ("O1", "O2")
    ]
    return {
        "orders": [
            {name: value for name, value in zip(ORDER, row_of(order), strict=True) if name not in LATER_COLUMNS}
            for order in orders.values()
        ],
        "order_events": [
            {**{k: v for k, v in it._asdict().items() if k != "epoch"}, "asked_at": AT, "committed_at": LATER}
            for it in records
        ],
        "cursors": [
            {"reader": reader, "bucket": 7, "position": 3, "updated_at": AT} for reader in ("relay", "analytics")
        ],
        "idempotency_keys": [
            {
                "caller": "customer:C1",
                "key": key,
                "fingerprint": "f",
                "order_id": "O1",
                "answer": b'{"id":"O1"}',
                "created_at": AT,
            }
            for key in ("k1", "k2")
        ],
        "payment_attempts": [
            _attempt("a1", "authorize", "succeeded", settled_at=LATER),
            _attempt("a2", "refund", "asked"),
            _attempt("a3", "refund", "declined", settled_at=LATER),
            _attempt("a4", "refund", "asked", asked_at=AT - timedelta(hours=1)),
        ],
        "tokens": [
            {"digest": "d1", "role": "customer", "actor_id": "C1", "label": "ann's", "created_at": AT},
            {"digest": "d2", "role": "admin", "actor_id": "A1", "label": "", "created_at": AT},
        ],
        "order_parties": [
            {"order_id": "O1", "customer_id": "C1", "restaurant_id": "R1", "shipper_id": "S1", "sequence": 2},
            {"order_id": "O2", "customer_id": "C1", "restaurant_id": "R1", "shipper_id": None, "sequence": 1},
        ],
        "contacts": [
            {"party": "customer:C1", "email": "c1@example.com"},
            {"party": "restaurant:R1", "email": "r@x.de"},
        ],
        "notifications": [
            _notification("customer:C1", "sent", sent_at=LATER, **TRACE),
            _notification("restaurant:R1", "pending"),
        ],
        "order_courses": progress,
        "order_courses_beside": progress,
        "rebuilds": [{"consumer": "analytics", "run": "r1"}, {"consumer": "other", "run": "r2"}],
        "stock": [{"restaurant_id": "R1", "food_id": food, "quantity": 3} for food in ("F1", "F2")],
        "reservations": [
            {
                "order_id": "O1",
                "restaurant_id": "R1",
                "status": "reserved",
                "taken": {"F1": 2},
                "missing": [],
                "outcome": "",
                **TRACE,
            },
            {"order_id": "O2", "restaurant_id": "R1", "status": "short", "taken": {}, "missing": ["F2"], "outcome": ""},
        ],
        "parked_orders": [{"consumer": consumer, "order_id": "O1"} for consumer in ("analytics", "inventory")],
        "dead_letters": [
            {
                **event,
                **failed,
                "consumer": "analytics",
                "error": "KeyError",
                "attempts": 3,
                "topic": "orders",
                "partition": 1,
                "offset": 9,
            },
            {**event, **failed, "consumer": "analytics", "sequence": 2, "error": "", "attempts": 0},
            {**event, **failed, "consumer": "inventory", "error": "ValueError", "attempts": 3},
        ],
        "letters_to_copy": [
            {"consumer": "analytics", "order_id": "O1", "sequence": 1, "due_at": AT},
            {"consumer": "inventory", "order_id": "O1", "sequence": 1, "due_at": LATER},
        ],
        "dead_letter_changes": [
            {
                "at": at,
                "by": "ann",
                "why": "fixed",
                "outcome": outcome,
                "consumer": "analytics",
                "order_id": "O1",
                "sequence": 5,
                "bucket": 7,
                "position": 5,
                "type": "order.created",
                "event_id": "e5",
                "error": "KeyError",
                "attempts": 3,
            }
            for at, outcome in ((AT, "failed"), (LATER, "dropped"))
        ],
        "foreign_records": [
            {
                "consumer": "analytics",
                "topic": "orders",
                "partition": 0,
                "offset": offset,
                "key": b"k",
                "value": b"\xff",
                "headers": [["h", "AQ=="]],
                "problem": "no event",
                "found_at": AT,
            }
            for offset in (4, 5)
        ],
        "publishing_share": [{"id": 1, "percent": 10}],
        "consumer_pauses": [
            {"consumer": consumer, "at": AT, "by": "ann", "why": "slow"} for consumer in ("analytics", "inventory")
        ],
        "rollout_changes": [
            _change(1, "share", before=100, after=50),
            _change(3, "pause", consumer="analytics"),
            _change(3, "pause", consumer="inventory"),
            _change(7, "share", before=50, after=10),
        ],
        "repairs": [
            _change(2, "replay", consumer="analytics", what="from 0 by the log: 9 events"),
            _change(6, "swap", consumer="analytics", what="3 courses, 1 of them changed"),
        ],
        "log_epochs": [
            {"epoch": 2, "at": _minute(4), "by": "bob", "why": "restored"},
            {"epoch": 5, "at": _minute(5), "by": "bob", "why": "restored again"},
        ],
        "log_epoch_buckets": [
            {"epoch": 2, "bucket": 7, "kept": 70},
            {"epoch": 2, "bucket": 255, "kept": 0},
            {"epoch": 5, "bucket": 7, "kept": 80},
        ],
        "processes": [
            {
                "id": name,
                "version": "0.1.0",
                "host": "h",
                "pid": 1,
                "started_at": AT,
                "last_seen_at": AT,
                "own_time": AT + timedelta(seconds=2),
                "parts": [{"name": "relay", "partitions": [0, 2], "url": ""}],
                "failures": 0,
            }
            for name in ("p1", "p2")
        ],
    }


def _minute(number: int) -> datetime:
    return AT + timedelta(minutes=number)


def _change(minute: int, kind: str, **values: object) -> dict[str, Any]:
    return {"at": _minute(minute), "by": "ann", "why": "50 % of it's slow", "kind": kind, **values}


def _attempt(key: str, kind: str, status: str, **values: object) -> dict[str, Any]:
    return {
        "key": key,
        "order_id": "O1",
        "number": 1,
        "kind": kind,
        "amount": "25.50",
        "currency": "EUR",
        "asked_at": AT,
        "status": status,
        "reference": "ref",
        "detail": "",
        **values,
    }


def _notification(recipient: str, status: str, **values: object) -> dict[str, Any]:
    return {
        "order_id": "O1",
        "sequence": 1,
        "recipient": recipient,
        "channel": "email",
        "event_type": "order.created",
        "address": "c1@example.com",
        "subject": "Your order",
        "text": "thanks",
        "status": status,
        "attempts": 1,
        "recorded_at": AT,
        "due_at": AT,
        "detail": "",
        **values,
    }
