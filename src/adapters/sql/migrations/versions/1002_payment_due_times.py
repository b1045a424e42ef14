"""Due times of payment attempts without a response, and the keys of those that are not settled."""

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
    op.create_table(
        "outstanding_payment_attempts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="outstanding_payment_attempts_pk"),
    )
    op.execute("""
        INSERT INTO outstanding_payment_attempts (key) SELECT key FROM payment_attempts
        WHERE status = 'requested' OR (kind = 'refund' AND status = 'declined')
    """)


def downgrade() -> None:
    op.drop_table("outstanding_payment_attempts")
    op.drop_column("payment_attempts", "due_at")
    op.drop_column("payment_attempts", "tries")
