"""Checks that the database is durable, writable, supported, and has connections for all processes."""

import re
from collections.abc import Iterator

from ....domain.text import counted
from ..facts import ENCODING, DatabaseFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Diagnostic, Finding, note, problem, warning

OLDEST_POSTGRESQL = 13
"""The oldest major version that is supported."""
RESERVED_CONNECTIONS = "superuser_reserved_connections", "reserved_connections"
"""The settings by which PostgreSQL reserves connections for others."""
ISOLATION = "read committed"
_SET = "as superuser: `ALTER SYSTEM SET {0} = '{1}'`, then `SELECT pg_reload_conf()`"


def _must_be_on(code: str, setting: str, otherwise: str) -> Diagnostic:
    return problem(code, otherwise, expected=f"{setting} = on", fix=_SET.format(setting, "on"))


SYNCHRONOUS_COMMIT = _must_be_on(
    "postgresql_synchronous_commit",
    "synchronous_commit",
    "acknowledged orders may be lost if the database's machine crashes",
)
FSYNC = _must_be_on("postgresql_fsync", "fsync", "the database may be corrupt after its machine crashes")
FULL_PAGE_WRITES = _must_be_on(
    "postgresql_full_page_writes", "full_page_writes", "pages may be corrupt after the database's machine crashes"
)
VERSION = warning(
    "postgresql_version",
    "this version of PostgreSQL is no longer supported",
    expected=f"PostgreSQL {OLDEST_POSTGRESQL} or later",
    fix="upgrade the server: `pg_upgrade`",
)
READ_ONLY = problem(
    "postgresql_read_only",
    "the database is read-only",
    expected="a server that accepts writes",
    fix="use the primary in ORDERFLOW_DATABASE_URL, or unset default_transaction_read_only",
)
ENCODING_DIFFERS = problem(
    "postgresql_encoding",
    "the database cannot store every text",
    expected=f"encoding {ENCODING}",
    fix=f"`createdb --encoding={ENCODING} --template=template0`, and move the data with `pg_dump` and `pg_restore`",
)
STANDBYS_ABSENT = problem(
    "postgresql_standbys_absent",
    "commits wait for synchronous standbys that are not connected, so orders can be neither placed nor changed",
    expected="as many synchronous standbys as synchronous_standby_names asks for",
    fix="start the standbys, or take them out of synchronous_standby_names",
)
STANDBYS_UNKNOWN = note(
    "postgresql_standbys_unknown",
    "whether the synchronous standbys are connected could not be read",
    expected="the state of each standby",
    fix="as superuser: `GRANT pg_monitor TO` orderflow's user",
)
ISOLATION_DIFFERS = warning(
    "postgresql_isolation",
    "transactions conflict more often than necessary, and are repeated",
    expected=f"default_transaction_isolation = {ISOLATION}, which orderflow sets, except behind a pooler",
    fix=f"`ALTER ROLE` of orderflow's user `SET default_transaction_isolation = '{ISOLATION}'`, or remove it from "
    "ORDERFLOW_DATABASE_URL",
)
CONNECTIONS = warning(
    "postgresql_connections",
    "the pools of all processes may need more connections than the server has",
    expected="max_connections, and the connection limits of the user and the database, above the sum of all pools",
    fix="raise max_connections and restart the server, or the limit with `ALTER ROLE` or `ALTER DATABASE`, or lower "
    "ORDERFLOW_DATABASE_POOL_SIZE",
)
NO_TIMEOUT = warning(
    "postgresql_timeouts",
    "a process that hangs may hold locks forever",
    expected="lock_timeout and idle_in_transaction_session_timeout above 0, which orderflow sets",
    fix="remove them from the parameters of ORDERFLOW_DATABASE_URL, or give them a value there; with a pooler, set "
    "ORDERFLOW_DATABASE_POOLER=transaction",
)
SQLITE_SYNCHRONOUS = problem(
    "sqlite_synchronous",
    "acknowledged orders may be lost if the machine crashes",
    expected="synchronous = FULL, which orderflow sets",
    fix="use a build of SQLite that supports it",
)
SQLITE_JOURNAL = warning(
    "sqlite_journal",
    "readers and writers block each other",
    expected="journal_mode = WAL, which orderflow sets if the file system supports it",
    fix="put the file on a local disk, not on a network file system",
)
SQLITE_SHARED = warning(
    "sqlite_in_production",
    "installations with Kafka have several processes, and SQLite allows only one of them to write at a time",
    expected="PostgreSQL",
    fix="set ORDERFLOW_DATABASE_URL=postgresql://...",
)
DIAGNOSTICS = (
    SYNCHRONOUS_COMMIT,
    FSYNC,
    FULL_PAGE_WRITES,
    VERSION,
    READ_ONLY,
    ENCODING_DIFFERS,
    STANDBYS_ABSENT,
    STANDBYS_UNKNOWN,
    ISOLATION_DIFFERS,
    CONNECTIONS,
    NO_TIMEOUT,
    SQLITE_SYNCHRONOUS,
    SQLITE_JOURNAL,
    SQLITE_SHARED,
)
_DURABLE = ("on", "local", "remote_write", "remote_apply")
"""The levels that wait for the server's own disk."""
_WAIT_FOR_STANDBYS = ("on", "remote_write", "remote_apply")
_SYNCHRONOUS = ("sync", "quorum")
_NUMBER_OF_STANDBYS = re.compile(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)
"""The number of standbys that a list such as ``FIRST 2 (s1, s2, s3)`` requires; a list of names requires one."""
_FULL_OR_MORE = ("2", "3")


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    facts = observation.database
    if not isinstance(facts, DatabaseFacts):
        return
    if facts.kind == "postgresql":
        yield from _durable(facts)
        yield from _writable(facts)
        yield from _standbys(facts)
        yield from _connections(facts, observation, expected)
    if facts.kind == "sqlite":
        yield from _sqlite(facts, expected)


def _durable(facts: DatabaseFacts) -> Iterator[Finding]:
    settings = facts.settings
    if (level := settings.get("synchronous_commit", "on")) not in _DURABLE:
        yield SYNCHRONOUS_COMMIT.found(f"synchronous_commit = {level}")
    for diagnostic, name in ((FSYNC, "fsync"), (FULL_PAGE_WRITES, "full_page_writes")):
        if settings.get(name, "on") != "on":
            yield diagnostic.found(f"{name} = {settings[name]}")


def _writable(facts: DatabaseFacts) -> Iterator[Finding]:
    settings = facts.settings
    if int(settings.get("server_version_num", "0")) // 10_000 < OLDEST_POSTGRESQL:
        yield VERSION.found(f"PostgreSQL {facts.version}")
    for name in ("in_hot_standby", "default_transaction_read_only"):
        if settings.get(name) == "on":
            yield READ_ONLY.found(f"{name} = on")
    if facts.encoding != ENCODING:
        yield ENCODING_DIFFERS.found(f"server_encoding = {facts.encoding}")
    if (isolation := settings.get("default_transaction_isolation", ISOLATION)) != ISOLATION:
        yield ISOLATION_DIFFERS.found(f"default_transaction_isolation = {isolation}")
    endless = [n for n in ("lock_timeout", "idle_in_transaction_session_timeout") if settings.get(n) == "0"]
    if endless:
        yield NO_TIMEOUT.found(f"{' and '.join(endless)} = 0, which is forever")


def _standbys(facts: DatabaseFacts) -> Iterator[Finding]:
    """Compare the connected synchronous standbys with those that each commit waits for."""
    names = facts.settings.get("synchronous_standby_names", "")
    if not names.strip() or facts.settings.get("synchronous_commit") not in _WAIT_FOR_STANDBYS:
        return
    number = _NUMBER_OF_STANDBYS.match(names)
    needed = int(number[1]) if number else 1
    synchronous = sum(state in _SYNCHRONOUS for state in facts.standbys)
    if synchronous >= needed:
        return
    found = f"synchronous_standby_names = {names}, and {synchronous} of {needed} synchronous standbys are connected"
    unreadable = facts.standbys.count("")
    yield STANDBYS_UNKNOWN.found(found) if synchronous + unreadable >= needed else STANDBYS_ABSENT.found(found)


def _connections(facts: DatabaseFacts, observation: Observation, expected: Expectations) -> Iterator[Finding]:
    """Assume that every process uses the whole pool size of this one. A pooler has a limit of its own."""
    if expected.pooled:
        return
    processes, each = len(observation.living()), expected.pool_size + expected.listeners
    needed = processes * each
    if facts.max_connections is None:
        return
    reserved = sum(int(facts.settings.get(name, "0")) for name in RESERVED_CONNECTIONS)
    limit = facts.connection_limit
    if needed > facts.max_connections - reserved or (limit is not None and needed > limit):
        yield CONNECTIONS.found(
            f"{counted(processes, 'process', 'processes')} with up to {each} connections may need {needed}; "
            f"max_connections = {facts.max_connections}, {reserved} of which are reserved"
            + (f"; CONNECTION LIMIT {limit} of the user or the database" if limit is not None else "")
            + f"; {facts.connections} in use now"
        )


def _sqlite(facts: DatabaseFacts, expected: Expectations) -> Iterator[Finding]:
    if (level := facts.settings.get("synchronous")) not in _FULL_OR_MORE:
        yield SQLITE_SYNCHRONOUS.found(f"synchronous = {level}")
    if (mode := facts.settings.get("journal_mode")) != "wal":
        yield SQLITE_JOURNAL.found(f"journal_mode = {mode}")
    if expected.with_kafka:
        yield SQLITE_SHARED.found("SQLite, and Kafka is configured")
