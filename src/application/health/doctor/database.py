"""Whether the database keeps what it says it keeps, and has room for all processes."""

from collections.abc import Iterator

from ..facts import DatabaseFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Diagnostic, Finding, problem, warning

OLDEST_POSTGRESQL = 13
"""The oldest major version that PostgreSQL's makers may still have mended lately."""
ROOM = 3
"""Connections that PostgreSQL keeps for its superusers by default."""
_SET = "as superuser: `ALTER SYSTEM SET {0} = '{1}'`, then `SELECT pg_reload_conf()`"


def _must_be_on(code: str, setting: str, otherwise: str) -> Diagnostic:
    return problem(code, otherwise, wanted=f"{setting} = on", mend=_SET.format(setting, "on"))


SYNCHRONOUS_COMMIT = _must_be_on(
    "postgresql_synchronous_commit",
    "synchronous_commit",
    "an order that was acknowledged is lost when the database's machine stops",
)
FSYNC = _must_be_on("postgresql_fsync", "fsync", "the database may be corrupt after its machine stops")
FULL_PAGE_WRITES = _must_be_on(
    "postgresql_full_page_writes", "full_page_writes", "a page may be torn after the database's machine stops"
)
VERSION = warning(
    "postgresql_version",
    "this PostgreSQL gets no more corrections from its makers",
    wanted=f"PostgreSQL {OLDEST_POSTGRESQL} or later",
    mend="upgrade the server: `pg_upgrade`",
)
READ_ONLY = problem(
    "postgresql_read_only",
    "nothing can be written here",
    wanted="a server that takes writes",
    mend="name the primary in ORDERFLOW_DATABASE_URL, or unset default_transaction_read_only",
)
CONNECTIONS = warning(
    "postgresql_connections",
    "the pools of all processes together may ask for more connections than the server has",
    wanted="max_connections above the sum of all pools",
    mend="raise max_connections and restart the server, or lower ORDERFLOW_DATABASE_POOL_SIZE",
)
NO_TIMEOUT = warning(
    "postgresql_timeouts",
    "a process that hangs may hold locks for ever",
    wanted="lock_timeout and idle_in_transaction_session_timeout above 0, which orderflow sets by itself",
    mend="take them out of the parameters of ORDERFLOW_DATABASE_URL, or give them a value there; where a pooler "
    "stands before PostgreSQL, set ORDERFLOW_DATABASE_POOLER=transaction",
)
SQLITE_SYNCHRONOUS = problem(
    "sqlite_synchronous",
    "an order that was acknowledged is lost when the machine stops",
    wanted="synchronous = FULL, which orderflow sets by itself",
    mend="use an SQLite library that was not built to ignore it",
)
SQLITE_JOURNAL = warning(
    "sqlite_journal",
    "readers and writers wait for each other",
    wanted="journal_mode = WAL, which orderflow sets where the file system can do it",
    mend="put the file on a local disk, not on a network's",
)
SQLITE_SHARED = warning(
    "sqlite_in_production",
    "with Kafka there are usually several processes, and SQLite lets one of them write at a time",
    wanted="PostgreSQL",
    mend="set ORDERFLOW_DATABASE_URL=postgresql://...",
)
DIAGNOSTICS = (
    SYNCHRONOUS_COMMIT,
    FSYNC,
    FULL_PAGE_WRITES,
    VERSION,
    READ_ONLY,
    CONNECTIONS,
    NO_TIMEOUT,
    SQLITE_SYNCHRONOUS,
    SQLITE_JOURNAL,
    SQLITE_SHARED,
)
_DURABLE = ("on", "local", "remote_write", "remote_apply")
"""Whatever waits for the server's own disk."""
_FULL_OR_MORE = ("2", "3")


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    facts = look.database
    if not isinstance(facts, DatabaseFacts):
        return
    if facts.kind == "postgresql":
        yield from _durable(facts)
        yield from _usable(facts)
        yield from _room(facts, look, wanted)
    if facts.kind == "sqlite":
        yield from _sqlite(facts, wanted)


def _durable(facts: DatabaseFacts) -> Iterator[Finding]:
    is_now = facts.settings
    if (level := is_now.get("synchronous_commit", "on")) not in _DURABLE:
        yield SYNCHRONOUS_COMMIT.found(f"synchronous_commit = {level}")
    for diagnostic, name in ((FSYNC, "fsync"), (FULL_PAGE_WRITES, "full_page_writes")):
        if is_now.get(name, "on") != "on":
            yield diagnostic.found(f"{name} = {is_now[name]}")


def _usable(facts: DatabaseFacts) -> Iterator[Finding]:
    is_now = facts.settings
    if int(is_now.get("server_version_num", "0")) // 10_000 < OLDEST_POSTGRESQL:
        yield VERSION.found(f"PostgreSQL {facts.version}")
    for name in ("in_hot_standby", "default_transaction_read_only"):
        if is_now.get(name) == "on":
            yield READ_ONLY.found(f"{name} = on")
    endless = [n for n in ("lock_timeout", "idle_in_transaction_session_timeout") if is_now.get(n) == "0"]
    if endless:
        yield NO_TIMEOUT.found(f"{' and '.join(endless)} = 0, which is for ever")


def _room(facts: DatabaseFacts, look: Observation, wanted: Expectations) -> Iterator[Finding]:
    """As if every process had this one's pool size, and used all of it. A pooler has a limit of its own."""
    if wanted.pooled:
        return
    processes, each = len(look.living()), wanted.pool_size + wanted.listeners
    asked = processes * each
    if facts.max_connections is not None and asked > facts.max_connections - ROOM:
        yield CONNECTIONS.found(
            f"{processes} processes with up to {each} connections may ask for {asked}; "
            f"max_connections = {facts.max_connections}, {ROOM} of which are kept for superusers, "
            f"{facts.connections} in use now"
        )


def _sqlite(facts: DatabaseFacts, wanted: Expectations) -> Iterator[Finding]:
    if (level := facts.settings.get("synchronous")) not in _FULL_OR_MORE:
        yield SQLITE_SYNCHRONOUS.found(f"synchronous = {level}")
    if (mode := facts.settings.get("journal_mode")) != "wal":
        yield SQLITE_JOURNAL.found(f"journal_mode = {mode}")
    if wanted.with_kafka:
        yield SQLITE_SHARED.found("SQLite, and Kafka is configured")
