"""SQLite and PostgreSQL keep consumers' effects as promised."""

from tests.contracts.consumer_store import ConsumerStoreContract


class TestSqlEffects(ConsumerStoreContract):
    """On the ``world`` of each database."""
