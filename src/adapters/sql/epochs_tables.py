"""The tables of the log's epochs, beside the core's. The migrations make them."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, SmallInteger, Table, Text

from .tables import Moment, metadata

log_epochs = Table(
    "log_epochs",
    metadata,
    Column("epoch", Integer, nullable=False, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("epoch"),
)
"""Those that somebody began; none in a log that never was mended. None is ever changed or deleted."""

log_epoch_buckets = Table(
    "log_epoch_buckets",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch", "bucket"),
)
"""The last position of earlier epochs that counts, of each bucket that an epoch gives addresses of anew."""
