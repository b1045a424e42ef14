"""The positions of the log up to which old personal data is forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "1011"
down_revision = "1010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_progress",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("positions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="retention_progress_pk"),
    )


def downgrade() -> None:
    op.drop_table("retention_progress")
