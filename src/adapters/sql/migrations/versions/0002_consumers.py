"""The tables of the consumers: notifications, order progress, stock, and dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
AMOUNT = sa.Numeric().with_variant(sa.Text(), "sqlite")
ROOM_TO_CHANGE = {"fillfactor": 70}


def upgrade() -> None:
    _notifications()
    _courses()
    _stock()
    _dead_letters()


def _notifications() -> None:
    op.create_table(
        "order_parties",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("restaurant_id", sa.Text(), nullable=False),
        sa.Column("shipper_id", sa.Text()),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="order_parties_pk"),
        postgresql_with=ROOM_TO_CHANGE,
    )
    op.create_table(
        "contacts",
        sa.Column("party", IDENTIFIER, nullable=False),
        sa.Column("email", sa.Text()),
        sa.PrimaryKeyConstraint("party", name="contacts_pk"),
    )
    op.create_table(
        "notifications",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("recipient", IDENTIFIER, nullable=False),
        sa.Column("channel", IDENTIFIER, nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "sequence", "recipient", "channel", name="notifications_pk"),
    )
    pending = sa.text("status = 'pending'")
    op.create_index(
        "notifications_pending",
        "notifications",
        ["due_at", "order_id", "sequence"],
        postgresql_where=pending,
        sqlite_where=pending,
    )


def _courses() -> None:
    op.create_table(
        "order_courses",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("restaurant_id", IDENTIFIER, nullable=False),
        sa.Column("total", AMOUNT, nullable=False),
        sa.Column("total_e4", sa.BigInteger(), nullable=False),
        sa.Column("currency", IDENTIFIER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_minute", sa.BigInteger(), nullable=False),
        sa.Column("waiting_for_shipper_us", sa.BigInteger()),
        sa.Column("preparing_us", sa.BigInteger()),
        sa.Column("on_the_way_us", sa.BigInteger()),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("delivery_minutes", sa.Integer()),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="order_courses_pk"),
        postgresql_with=ROOM_TO_CHANGE,
    )
    op.create_index("order_courses_created_minute", "order_courses", ["created_minute"])


def _stock() -> None:
    op.create_table(
        "stock",
        sa.Column("restaurant_id", IDENTIFIER, nullable=False),
        sa.Column("food_id", IDENTIFIER, nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("restaurant_id", "food_id", name="stock_pk"),
        sa.CheckConstraint("quantity >= 0", name="stock_quantity_never_negative"),
        postgresql_with=ROOM_TO_CHANGE,
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("restaurant_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("taken", sa.JSON(), nullable=False),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("settled_at", MOMENT),
        sa.PrimaryKeyConstraint("order_id", name="reservations_pk"),
    )
    unsettled = sa.text("status = 'short' AND outcome = ''")
    op.create_index(
        "reservations_short", "reservations", ["order_id"], postgresql_where=unsettled, sqlite_where=unsettled
    )


def _dead_letters() -> None:
    op.create_table(
        "parked_orders",
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "order_id", name="parked_orders_pk"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_failed_at", MOMENT, nullable=False),
        sa.Column("last_failed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "order_id", "sequence", name="dead_letters_pk"),
    )
    op.create_table(
        "foreign_records",
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("topic", IDENTIFIER, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition", "offset", name="foreign_records_pk"),
    )


def downgrade() -> None:
    raise NotImplementedError("what was sent cannot be unsent; restore a backup instead")
