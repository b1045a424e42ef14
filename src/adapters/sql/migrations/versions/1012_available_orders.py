"""Index the orders that wait for a shipper, which shippers list again and again."""

import sqlalchemy as sa
from alembic import op

revision = "1012"
down_revision = "1011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    available = sa.text("shipper_id IS NULL AND state IN ('waiting_for_shipper', 'preparing')")
    op.create_index(
        "orders_available_created_at_id",
        "orders",
        ["created_at", "id"],
        postgresql_where=available,
        sqlite_where=available,
    )


def downgrade() -> None:
    op.drop_index("orders_available_created_at_id", "orders")
