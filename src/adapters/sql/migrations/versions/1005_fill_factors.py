"""Room in the pages of tables whose rows are changed often, on PostgreSQL.

A changed row then stays in its page, so that no index entry is written and no vacuum is needed. Rows of
``order_progress`` that are changed four times take half the space: 97 % of the changes stay in their page, without room
7 %. Existing pages stay as they are. ``orders`` gains nothing, because its index on the state changes anyway.
"""

from alembic import op

revision = "1005"
down_revision = "1004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE cursors SET (fillfactor = 50)")
        op.execute("ALTER TABLE log_heads SET (fillfactor = 50)")
        op.execute("ALTER TABLE order_parties SET (fillfactor = 50)")
        op.execute("ALTER TABLE order_progress SET (fillfactor = 50)")
        op.execute("ALTER TABLE order_progress_shadow SET (fillfactor = 50)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE cursors RESET (fillfactor)")
        op.execute("ALTER TABLE log_heads RESET (fillfactor)")
        op.execute("ALTER TABLE order_parties RESET (fillfactor)")
        op.execute("ALTER TABLE order_progress RESET (fillfactor)")
        op.execute("ALTER TABLE order_progress_shadow RESET (fillfactor)")
