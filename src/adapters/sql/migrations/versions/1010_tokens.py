"""Scopes, expiry, revocation and last use of tokens. Those that exist keep every scope and do not expire."""

import sqlalchemy as sa
from alembic import op

revision = "1010"
down_revision = "1005"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
ADDED = ("expires_at", "revoked_at", "last_used_at")


def upgrade() -> None:
    op.add_column("tokens", sa.Column("scopes", sa.Text(), nullable=False, server_default="operate read write"))
    for column in ADDED:
        op.add_column("tokens", sa.Column(column, MOMENT))


def downgrade() -> None:
    for column in (*ADDED, "scopes"):
        op.drop_column("tokens", column)
