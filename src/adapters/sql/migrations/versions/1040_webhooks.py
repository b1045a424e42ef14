"""Webhook endpoints, their secrets and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "1040"
down_revision = "1020"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
PENDING = sa.text("status = 'pending'")
UNSETTLED = sa.text("status IN ('pending', 'waiting')")
SETTLED = sa.text("settled_at IS NOT NULL")
FAILED = sa.text("status = 'failed'")
INDEXES = {
    "pending": (("endpoint_id", "due_at"), PENDING),
    "unsettled": (("order_id", "endpoint_id", "sequence"), UNSETTLED),
    "waiting": (("endpoint_id", "recorded_at"), UNSETTLED),
    "settled": (("settled_at",), SETTLED),
    "failed": (("endpoint_id", "settled_at"), FAILED),
}


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("restaurants", sa.JSON(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("behind", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", MOMENT),
        sa.Column("resume_at", MOMENT),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("owned_until", MOMENT),
        sa.PrimaryKeyConstraint("id", name="webhook_endpoints_pk"),
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("endpoint_id", IDENTIFIER, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT),
        sa.PrimaryKeyConstraint("endpoint_id", "secret", name="webhook_secrets_pk"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("endpoint_id", IDENTIFIER, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("failing_since", MOMENT),
        sa.Column("settled_at", MOMENT),
        sa.Column("code", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "endpoint_id", "sequence", name="webhook_deliveries_pk"),
    )
    for name, (columns, where) in INDEXES.items():
        op.create_index(
            f"webhook_deliveries_{name}",
            "webhook_deliveries",
            list(columns),
            postgresql_where=where,
            sqlite_where=where,
        )


def downgrade() -> None:
    for table in ("webhook_deliveries", "webhook_secrets", "webhook_endpoints"):
        op.drop_table(table)
