"""The refunds that are looked up again, because one may have failed, and where each webhook endpoint began."""

import sqlalchemy as sa
from alembic import op

revision = "1070"
down_revision = "1060"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "made_refunds",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="made_refunds_pk"),
    )
    op.create_index("made_refunds_due_at", "made_refunds", ["due_at"])
    op.add_column("webhook_endpoints", sa.Column("begins", sa.Text()))


def downgrade() -> None:
    op.drop_column("webhook_endpoints", "begins")
    op.drop_table("made_refunds")
