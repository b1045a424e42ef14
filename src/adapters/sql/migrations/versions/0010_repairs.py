"""The replays and rebuilds that operators started, and the shadow table of the analytics."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


AMOUNT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "repairs",
        sa.Column("entry", COUNTER, sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name="repairs_pk"),
    )
    op.create_table(
        "rebuilds",
        sa.Column("consumer", IDENTIFIER, nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name="rebuilds_pk"),
    )
    op.create_table(
        "order_courses_beside",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("restaurant_id", IDENTIFIER, nullable=False),
        sa.Column("total", AMOUNT, nullable=False),
        sa.Column("total_e4", sa.BigInteger(), nullable=False),
        sa.Column("currency", IDENTIFIER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_minute", sa.BigInteger(), nullable=False),
        sa.Column("waiting_for_shipper_us", sa.BigInteger()),
        sa.Column("preparing_us", sa.BigInteger()),
        sa.Column("on_the_way_us", sa.BigInteger()),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("delivery_minutes", sa.Integer()),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="order_courses_beside_pk"),
        postgresql_with={"fillfactor": 70},
    )


def downgrade() -> None:
    for table in ("order_courses_beside", "rebuilds", "repairs"):
        op.drop_table(table)
