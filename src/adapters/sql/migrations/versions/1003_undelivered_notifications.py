"""Notifications that wait for the answer to a refund, and the keys of those that failed."""

import sqlalchemy as sa
from alembic import op

revision = "1003"
down_revision = "1002"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("notifications", sa.Column("awaits", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "failed_notifications",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("recipient", IDENTIFIER, nullable=False),
        sa.Column("channel", IDENTIFIER, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "sequence", "recipient", "channel", name="failed_notifications_pk"),
    )
    op.execute("""
        INSERT INTO failed_notifications (order_id, sequence, recipient, channel)
        SELECT order_id, sequence, recipient, channel FROM notifications WHERE status = 'failed'
    """)


def downgrade() -> None:
    op.drop_table("failed_notifications")
    op.drop_column("notifications", "awaits")
