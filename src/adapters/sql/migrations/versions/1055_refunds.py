"""The amounts of an order that are asked for as refunds, that were declined, and that were paid back."""

import sqlalchemy as sa
from alembic import op

revision = "1055"
down_revision = "1050"
branch_labels = None
depends_on = None

AMOUNTS = ("refund_requested", "refund_declined", "refunded")
AMOUNT = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    for name in AMOUNTS:
        op.add_column("orders", sa.Column(name, AMOUNT))


def downgrade() -> None:
    for name in AMOUNTS:
        op.drop_column("orders", name)
