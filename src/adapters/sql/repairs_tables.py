"""The tables of what is done again by hand, beside the core's. The migrations make them."""

from sqlalchemy import Column, Identity, PrimaryKeyConstraint, Table, Text

from .tables import Counter, Identifier, Moment, metadata

repairs = Table(
    "repairs",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer", Identifier, nullable=False),
    Column("what", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Every repair that was begun, none of which is ever changed or deleted."""
