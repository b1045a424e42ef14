"""The share of orders whose events are published, consumers that are paused, and who changed either and why."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # No row means that all is published, as before this table was there.
    op.create_table(
        "publishing_share",
        sa.Column("id", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="publishing_share_pk"),
        sa.CheckConstraint("id = 1", name="publishing_share_is_one"),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="publishing_share_is_a_percentage"),
    )
    op.create_table(
        "consumer_pauses",
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name="consumer_pauses_pk"),
    )
    op.create_table(
        "rollout_changes",
        sa.Column("entry", COUNTER, sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("consumer", IDENTIFIER),
        sa.Column("before", sa.SmallInteger()),
        sa.Column("after", sa.SmallInteger()),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name="rollout_changes_pk"),
    )


def downgrade() -> None:
    raise NotImplementedError("what was held back would be forgotten; restore a backup instead")
