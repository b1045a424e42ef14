"""SQLite and PostgreSQL pass the suites of the consumers' data."""

from tests.consumer_suites import *  # noqa: F403
