"""Rename tables, columns and stored values, and merge three audit tables into the maintenance log.

Starts a generation: all processes have to be stopped for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "1001"
down_revision = "0010"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIMESTAMP = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = {
    "order_courses": "order_progress",
    "order_courses_beside": "order_progress_shadow",
    "letters_to_copy": "dead_letter_copies",
    "dead_letter_changes": "dead_letter_actions",
    "foreign_records": "unrecognized_records",
}
COLUMNS = [
    ("dead_letter_actions", "why", "reason"),
    ("consumer_pauses", "why", "reason"),
    ("log_epoch_buckets", "kept", "kept_up_to"),
    ("idempotency_keys", "answer", "response"),
    ("order_events", "asked_at", "requested_at"),
    ("payment_attempts", "asked_at", "requested_at"),
    ("processes", "own_time", "local_time"),
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
"""The old name of each index, its new name, its table and columns."""

MERGE = """
    INSERT INTO maintenance_log (at, "by", reason, kind, consumer, before, after, detail)
    SELECT at, "by", why, kind, consumer, before, after, detail FROM (
        SELECT at, "by", why, kind, consumer, CAST(NULL AS INTEGER) AS before, CAST(NULL AS INTEGER) AS after,
            what AS detail, 1 AS source, entry FROM repairs
        UNION ALL
        SELECT at, "by", why, kind, consumer, before, after, '', 2, entry FROM rollout_changes
        UNION ALL
        SELECT at, "by", why, 'epoch', NULL, COALESCE(LAG(epoch) OVER (ORDER BY epoch), 1), epoch, '', 3, epoch
            FROM log_epochs
    ) AS changes ORDER BY at, source, entry
"""


def upgrade() -> None:
    _rename()
    _rename_status()
    _merge_audits()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION orderflow_refuse(json)")
        op.execute("""
            CREATE FUNCTION orderflow_refuse(conflicts json) RETURNS json LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'refused, nothing is written'
            USING ERRCODE = 'OF001', DETAIL = conflicts::text; END $$
        """)


def _rename() -> None:
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
    if postgresql:
        op.execute("ALTER SEQUENCE dead_letter_changes_entry_seq RENAME TO dead_letter_actions_entry_seq")


def _rename_status() -> None:
    """Rename the status ``asked`` to ``requested``, in the rows and in the index of unsettled refunds."""
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


def _merge_audits() -> None:
    """Merge ``repairs``, ``rollout_changes`` and the notes of ``log_epochs`` into ``maintenance_log``, in order."""
    op.create_table(
        "maintenance_log",
        sa.Column("entry", COUNTER, sa.Identity(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("consumer", IDENTIFIER),
        sa.Column("before", sa.Integer()),
        sa.Column("after", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name="maintenance_log_pk"),
    )
    op.execute(MERGE)
    for table in ("repairs", "rollout_changes", "log_epochs"):
        op.drop_table(table)
    op.create_table(
        "log_epochs",
        sa.Column("epoch", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("entry", COUNTER, nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="log_epochs_pk"),
    )
    op.execute("INSERT INTO log_epochs (epoch, entry) SELECT after, entry FROM maintenance_log WHERE kind = 'epoch'")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
