"""Orders and the ordered log on PostgreSQL (asyncpg) or SQLite (aiosqlite)."""

from .schema import current, newest, upgrade
from .storage import SqlStorage

__all__ = ["SqlStorage", "current", "newest", "upgrade"]
