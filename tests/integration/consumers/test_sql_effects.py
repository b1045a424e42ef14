"""SQLite and PostgreSQL pass the suites of the consumers' data."""

from tests.support.consumer_suites import *  # noqa: F403
