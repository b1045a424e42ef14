"""Commits of write sets, in one statement on PostgreSQL and one transaction on SQLite."""
