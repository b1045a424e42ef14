"""The times at which an event was requested and appended, and the cause of a notification or a shortage.

Only columns are added, all with a default or empty, so that the release before this one goes on writing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.add_column("order_events", sa.Column("asked_at", MOMENT))
    op.add_column("order_events", sa.Column("committed_at", MOMENT))
    if op.get_bind().dialect.name == "postgresql":
        # Set apart from the column: a table with events already is not written anew.
        op.execute("ALTER TABLE order_events ALTER COLUMN committed_at SET DEFAULT clock_timestamp()")
    for table in ("notifications", "reservations"):
        for name in ("correlation_id", "traceparent"):
            op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for table in ("notifications", "reservations"):
        for name in ("traceparent", "correlation_id"):
            op.drop_column(table, name)
    for name in ("committed_at", "asked_at"):
        op.drop_column("order_events", name)
