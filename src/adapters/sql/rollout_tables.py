"""The rollout's tables, beside the core's. The migrations make them."""

from sqlalchemy import CheckConstraint, Column, Identity, PrimaryKeyConstraint, SmallInteger, Table, Text

from .tables import Counter, Identifier, Moment, metadata

publishing_share = Table(
    "publishing_share",
    metadata,
    Column("id", SmallInteger, nullable=False, autoincrement=False),
    Column("percent", SmallInteger, nullable=False),
    PrimaryKeyConstraint("id"),
    CheckConstraint("id = 1", name="publishing_share_is_one"),
    CheckConstraint("percent BETWEEN 0 AND 100", name="publishing_share_is_a_percentage"),
)
"""One row, or none: then all is published."""

consumer_pauses = Table(
    "consumer_pauses",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("consumer"),
)
"""A row for each consumer that is paused."""

rollout_changes = Table(
    "rollout_changes",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer", Identifier),
    Column("before", SmallInteger),
    Column("after", SmallInteger),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Every change that was made, none of which is ever changed or deleted."""
