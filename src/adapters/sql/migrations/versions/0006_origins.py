"""The location on the topic at which the event of a dead letter was read.

Only columns are added, all empty where nothing is known, so that the release before this one goes on writing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dead_letters", sa.Column("topic", sa.Text()))
    op.add_column("dead_letters", sa.Column("partition", sa.Integer()))
    op.add_column("dead_letters", sa.Column("offset", sa.BigInteger()))


def downgrade() -> None:
    for name in ("offset", "partition", "topic"):
        op.drop_column("dead_letters", name)
