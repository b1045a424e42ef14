"""Annotations of orders, the terms that they are found by, and tickets for streams."""

import sqlalchemy as sa
from alembic import op

revision = "1050"
down_revision = "1020"
branch_labels = None
depends_on = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.add_column("orders", sa.Column("annotations", sa.JSON()))
    op.create_table(
        "order_terms",
        sa.Column("order_id", IDENTIFIER, nullable=False),
        sa.Column("term", IDENTIFIER, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "term", name="order_terms_pk"),
    )
    op.create_index("order_terms_term_order_id", "order_terms", ["term", "order_id"])
    op.create_table(
        "stream_tickets",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("actor_id", IDENTIFIER, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("grant_expires_at", MOMENT),
        sa.Column("token_digest", sa.Text()),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="stream_tickets_pk"),
    )
    op.create_index("stream_tickets_expires_at", "stream_tickets", ["expires_at"])


def downgrade() -> None:
    op.drop_table("stream_tickets")
    op.drop_table("order_terms")
    op.drop_column("orders", "annotations")
