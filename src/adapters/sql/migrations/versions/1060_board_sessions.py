"""The sessions of people who have logged in to the board."""

import sqlalchemy as sa
from alembic import op

revision = "1060"
down_revision = "1055"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "board_sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("development", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="board_sessions_pk"),
    )
    op.create_index("board_sessions_expires_at", "board_sessions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("board_sessions")
