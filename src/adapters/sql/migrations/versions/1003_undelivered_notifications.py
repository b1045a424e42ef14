"""Notifications that wait for the answer to a refund, and an index of those that failed."""

import sqlalchemy as sa
from alembic import op

revision = "1003"
down_revision = "1002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notifications", sa.Column("awaits", sa.Text(), nullable=False, server_default=""))
    failed = sa.text("status = 'failed'")
    op.create_index(
        "notifications_failed", "notifications", ["recorded_at"], postgresql_where=failed, sqlite_where=failed
    )


def downgrade() -> None:
    op.drop_index("notifications_failed", table_name="notifications")
    op.drop_column("notifications", "awaits")
