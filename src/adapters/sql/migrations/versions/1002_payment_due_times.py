"""Due times of payment attempts without a response, and indexes of what is unsettled or was declined."""

import sqlalchemy as sa
from alembic import op

revision = "1002"
down_revision = "1001"
branch_labels = None
depends_on = None

TIMESTAMP = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.add_column("payment_attempts", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("payment_attempts", sa.Column("due_at", TIMESTAMP))
    for name, rows in (
        ("requested", sa.text("status = 'requested'")),
        ("declined_refunds", sa.text("kind = 'refund' AND status = 'declined'")),
    ):
        op.create_index(
            f"payment_attempts_{name}",
            "payment_attempts",
            ["requested_at"],
            postgresql_where=rows,
            sqlite_where=rows,
        )


def downgrade() -> None:
    for name in ("requested", "declined_refunds"):
        op.drop_index(f"payment_attempts_{name}", table_name="payment_attempts")
    op.drop_column("payment_attempts", "due_at")
    op.drop_column("payment_attempts", "tries")
