"""The consumers' tables, beside the core's. The migrations make them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from .tables import Amount, Counter, Identifier, Moment, metadata

ROOM_TO_CHANGE = 70
"""Per cent of a page that PostgreSQL fills at first: rows that change a few times then change in place."""

order_parties = Table(
    "order_parties",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("restaurant_id", Text, nullable=False),
    Column("shipper_id", Text),
    Column("sequence", Integer, nullable=False),
    PrimaryKeyConstraint("order_id"),
    postgresql_with={"fillfactor": ROOM_TO_CHANGE},
)

contacts = Table(
    "contacts",
    metadata,
    Column("party", Identifier, nullable=False),
    Column("email", Text),
    PrimaryKeyConstraint("party"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("recipient", Identifier, nullable=False),
    Column("channel", Identifier, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("detail", Text, nullable=False),
    Column("correlation_id", Text, nullable=False, server_default=""),
    Column("traceparent", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("order_id", "sequence", "recipient", "channel"),
)
PENDING = text("status = 'pending'")
Index(
    "notifications_pending",
    notifications.c.due_at,
    notifications.c.order_id,
    notifications.c.sequence,
    postgresql_where=PENDING,
    sqlite_where=PENDING,
)


def _courses(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("order_id", Identifier, nullable=False),
        Column("restaurant_id", Identifier, nullable=False),
        Column("total", Amount, nullable=False),
        # The same in ten-thousandths: whole numbers are summed exactly by every database.
        Column("total_e4", BigInteger, nullable=False),
        Column("currency", Identifier, nullable=False),
        Column("state", Text, nullable=False),
        Column("since", Moment, nullable=False),
        Column("created_at", Moment, nullable=False),
        # Whole minutes since 1970: what is asked for by minute is grouped alike by every database.
        Column("created_minute", BigInteger, nullable=False),
        # Microseconds in each state that was left.
        Column("waiting_for_shipper_us", BigInteger),
        Column("preparing_us", BigInteger),
        Column("on_the_way_us", BigInteger),
        Column("cancel_reason", Text),
        Column("delivery_minutes", Integer),
        Column("events", Integer, nullable=False),
        PrimaryKeyConstraint("order_id"),
        postgresql_with={"fillfactor": ROOM_TO_CHANGE},
    )


order_courses = _courses("order_courses")
Index(None, order_courses.c.created_minute)
order_courses_beside = _courses("order_courses_beside")
"""Where a rebuild makes them anew, until it swaps them in; without one, it is empty."""

rebuilds = Table(
    "rebuilds",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("run", Text, nullable=False),
    PrimaryKeyConstraint("consumer"),
)
"""A row for each consumer for which one was begun: which one began last. Whoever writes beside locks it first."""

stock = Table(
    "stock",
    metadata,
    Column("restaurant_id", Identifier, nullable=False),
    Column("food_id", Identifier, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    PrimaryKeyConstraint("restaurant_id", "food_id"),
    CheckConstraint("quantity >= 0", name="stock_quantity_never_negative"),
    postgresql_with={"fillfactor": ROOM_TO_CHANGE},
)

reservations = Table(
    "reservations",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("restaurant_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("taken", JSON, nullable=False),
    Column("missing", JSON, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("settled_at", Moment),
    Column("correlation_id", Text, nullable=False, server_default=""),
    Column("traceparent", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("order_id"),
)
UNSETTLED_SHORT = text("status = 'short' AND outcome = ''")
Index(
    "reservations_short",
    reservations.c.order_id,
    postgresql_where=UNSETTLED_SHORT,
    sqlite_where=UNSETTLED_SHORT,
)

parked_orders = Table(
    "parked_orders",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    PrimaryKeyConstraint("consumer", "order_id"),
)
"""A row while an order has dead letters; whoever adds or removes some locks it first."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("occurred_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_failed_at", Moment, nullable=False),
    Column("last_failed_at", Moment, nullable=False),
    # Where on the topic the event was read; nothing of one that came straight from the log.
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    PrimaryKeyConstraint("consumer", "order_id", "sequence"),
)

letters_to_copy = Table(
    "letters_to_copy",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    PrimaryKeyConstraint("consumer", "order_id", "sequence"),
)
"""Letters that the topic for them does not have yet."""

dead_letter_changes = Table(
    "dead_letter_changes",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""What somebody did about letters; nothing of it is ever changed or deleted."""
Index(None, dead_letter_changes.c.consumer, dead_letter_changes.c.order_id)

foreign_records = Table(
    "foreign_records",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("topic", Identifier, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    # Pairs of a name and the value's bytes in base64: names may repeat.
    Column("headers", JSON, nullable=False),
    Column("problem", Text, nullable=False),
    Column("found_at", Moment, nullable=False),
    PrimaryKeyConstraint("consumer", "topic", "partition", "offset"),
)
