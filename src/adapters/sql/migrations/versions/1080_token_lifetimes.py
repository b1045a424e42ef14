"""The lifetimes that rotated tokens had before, for what replaces them."""

import sqlalchemy as sa
from alembic import op

revision = "1080"
down_revision = "1070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("lifetime_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))


def downgrade() -> None:
    op.drop_column("tokens", "lifetime_us")
