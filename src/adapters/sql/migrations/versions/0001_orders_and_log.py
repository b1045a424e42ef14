"""Orders, the ordered log with its 256 buckets, and the other tables of the core."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BUCKETS = 256
IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
AMOUNT = sa.Numeric().with_variant(sa.Text(), "sqlite")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _orders()
    _log()
    _beside()
    _refusal()


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("customer_id", IDENTIFIER, nullable=False),
        sa.Column("restaurant_id", IDENTIFIER, nullable=False),
        sa.Column("shipper_id", IDENTIFIER),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("delivery_fee", AMOUNT, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payment_method", sa.Text(), nullable=False),
        sa.Column("payment_status", sa.Text(), nullable=False),
        sa.Column("card_token", sa.Text()),
        sa.Column("address", sa.JSON()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("estimated_at", MOMENT),
        sa.Column("delivered_at", MOMENT),
        sa.Column("delivery_minutes", sa.Integer()),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("cancelled_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="orders_pk"),
    )
    op.create_index("orders_created_at_id", "orders", ["created_at", "id"])
    for column in ("customer_id", "restaurant_id", "state"):
        op.create_index(f"orders_{column}_created_at_id", "orders", [column, "created_at", "id"])
    assigned = sa.text("shipper_id IS NOT NULL")
    op.create_index(
        "orders_shipper_id_created_at_id",
        "orders",
        ["shipper_id", "created_at", "id"],
        postgresql_where=assigned,
        sqlite_where=assigned,
    )


def _log() -> None:
    op.create_table(
        "order_events",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "position", name="order_events_pk"),
        sa.UniqueConstraint("order_id", "sequence", name="order_events_order_id_sequence_key"),
    )
    log_heads = op.create_table(
        "log_heads",
        sa.Column("bucket", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("bucket", name="log_heads_pk"),
        postgresql_with={"fillfactor": 20},
    )
    op.bulk_insert(log_heads, [{"bucket": bucket, "position": 0} for bucket in range(BUCKETS)])
    op.create_table(
        "cursors",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("reader", "bucket", name="cursors_pk"),
        postgresql_with={"fillfactor": 50},
    )


def _beside() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="idempotency_keys_pk"),
    )
    op.create_index("idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "payment_attempts",
        sa.Column("entry", COUNTER, sa.Identity(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", AMOUNT, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("settled_at", MOMENT),
        sa.PrimaryKeyConstraint("entry", name="payment_attempts_pk"),
        sa.UniqueConstraint("key", name="payment_attempts_key_key"),
    )
    op.create_index("payment_attempts_order_id", "payment_attempts", ["order_id"])
    unsettled = sa.text("kind = 'refund' AND status = 'asked'")
    op.create_index(
        "payment_attempts_unsettled",
        "payment_attempts",
        ["asked_at"],
        postgresql_where=unsettled,
        sqlite_where=unsettled,
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="tokens_pk"),
    )


def _refusal() -> None:
    """Create the function with which a statement of several parts rolls back and reports the parts without conflict."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            CREATE FUNCTION orderflow_refuse(refusals json) RETURNS json LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'refused, nothing is written' USING ERRCODE = 'OF001', DETAIL = refusals::text; END $$
        """)


def downgrade() -> None:
    raise NotImplementedError("the log is never deleted from; restore a backup instead")
