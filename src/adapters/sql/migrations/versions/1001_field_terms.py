"""Tables, columns and stored values get the field's terms. It begins a generation: all processes stop for it."""

import sqlalchemy as sa
from alembic import op

revision = "1001"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = {
    "order_courses": "order_progress",
    "order_courses_beside": "order_progress_shadow",
    "letters_to_copy": "dead_letter_copies",
    "dead_letter_changes": "dead_letter_actions",
    "foreign_records": "unrecognized_records",
    "repairs": "maintenance_log",
}
COLUMNS = [
    ("dead_letter_actions", "why", "reason"),
    ("maintenance_log", "why", "reason"),
    ("maintenance_log", "what", "detail"),
    ("rollout_changes", "why", "reason"),
    ("consumer_pauses", "why", "reason"),
    ("log_epochs", "why", "reason"),
    ("log_epoch_buckets", "kept", "kept_up_to"),
    ("idempotency_keys", "answer", "response"),
    ("order_events", "asked_at", "requested_at"),
    ("payment_attempts", "asked_at", "requested_at"),
]
INDEXES = [
    ("order_courses_created_minute", "order_progress_created_minute", "order_progress", ["created_minute"]),
    (
        "dead_letter_changes_consumer_order_id",
        "dead_letter_actions_consumer_order_id",
        "dead_letter_actions",
        ["consumer", "order_id"],
    ),
]
"""The index as it was named, its new name, and what it is on."""


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for old, new in TABLES.items():
        op.rename_table(old, new)
        if postgresql:
            op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT {old}_pk TO {new}_pk")
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for old, new, table, columns in INDEXES:
        if postgresql:
            op.execute(f"ALTER INDEX {old} RENAME TO {new}")
        else:
            op.drop_index(old, table_name=table)
            op.create_index(new, table, columns)
    _request_attempts()


def _request_attempts() -> None:
    """The status ``asked`` becomes ``requested``, in the rows and in the index of unsettled refunds."""
    op.drop_index("payment_attempts_unsettled", table_name="payment_attempts")
    op.execute("UPDATE payment_attempts SET status = 'requested' WHERE status = 'asked'")
    unsettled = sa.text("kind = 'refund' AND status = 'requested'")
    op.create_index(
        "payment_attempts_unsettled",
        "payment_attempts",
        ["requested_at"],
        postgresql_where=unsettled,
        sqlite_where=unsettled,
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
