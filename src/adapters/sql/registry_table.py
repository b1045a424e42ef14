"""The table of processes, beside the core's. The migrations make it."""

from sqlalchemy import JSON, BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from .tables import Identifier, Moment, metadata

processes = Table(
    "processes",
    metadata,
    Column("id", Identifier, nullable=False),
    Column("version", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("own_time", Moment, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("failed_part", Text),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("failed_at", Moment),
    PrimaryKeyConstraint("id"),
)
"""``last_seen_at`` is by the database's clock, ``own_time`` what the process's own clock said then."""
