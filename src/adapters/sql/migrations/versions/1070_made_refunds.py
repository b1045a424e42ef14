"""The refunds that were made and are looked up again, because a gateway may report later that one has failed."""

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


def downgrade() -> None:
    op.drop_table("made_refunds")
