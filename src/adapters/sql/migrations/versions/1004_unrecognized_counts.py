"""The number of unrecognized records, of which only the first are stored, and the records that operators skip."""

import sqlalchemy as sa
from alembic import op

revision = "1004"
down_revision = "1003"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "unrecognized_counts",
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("topic", IDENTIFIER, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("last_offset", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition", name="unrecognized_counts_pk"),
    )
    op.create_table(
        "skipped_records",
        sa.Column("topic", IDENTIFIER, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("entry", COUNTER, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset", name="skipped_records_pk"),
    )


def downgrade() -> None:
    op.drop_table("skipped_records")
    op.drop_table("unrecognized_counts")
