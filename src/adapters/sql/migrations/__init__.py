"""The migrations of the schema, in order; alembic runs them through ``schema.upgrade``."""
