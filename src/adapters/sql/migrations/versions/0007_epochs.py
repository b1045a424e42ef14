"""The log's epochs, each with who began it, why, and what it keeps of those before."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "log_epochs",
        sa.Column("epoch", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="log_epochs_pk"),
    )
    op.create_table(
        "log_epoch_buckets",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "bucket", name="log_epoch_buckets_pk"),
    )


def downgrade() -> None:
    raise NotImplementedError("which events on the topic count would be forgotten; restore a backup instead")
