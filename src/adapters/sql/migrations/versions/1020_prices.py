"""The price lists of restaurants."""

import sqlalchemy as sa
from alembic import op

revision = "1020"
down_revision = "1011"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
AMOUNT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "price_lists",
        sa.Column("restaurant_id", IDENTIFIER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("restaurant_id", name="price_lists_pk"),
    )
    op.create_table(
        "prices",
        sa.Column("restaurant_id", IDENTIFIER, nullable=False),
        sa.Column("item_id", IDENTIFIER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price", AMOUNT, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("until", MOMENT),
        sa.PrimaryKeyConstraint("restaurant_id", "item_id", name="prices_pk"),
    )


def downgrade() -> None:
    op.drop_table("prices")
    op.drop_table("price_lists")
