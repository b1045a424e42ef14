"""Whether the schema is the one that this program works with, and all processes run the same program."""

from collections.abc import Iterator

from ..facts import DatabaseFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

SCHEMA_MISSING = problem(
    "schema_missing",
    "the database has no schema",
    wanted="the newest migration",
    mend="`orderflow db upgrade`",
)
SCHEMA_BEHIND = problem(
    "schema_behind",
    "the schema is older than this program",
    wanted="the newest migration",
    mend="`orderflow db upgrade`",
)
SCHEMA_AHEAD = problem(
    "schema_ahead",
    "the schema is newer than this program",
    wanted="a migration that this program knows",
    mend="install the newer orderflow-service here",
)
VERSIONS_DIFFER = warning(
    "versions_differ",
    "processes of different versions are running",
    wanted="one version, but for the minutes of an upgrade",
    mend="restart those of the older version from the newer installation",
)
DIAGNOSTICS = (SCHEMA_MISSING, SCHEMA_BEHIND, SCHEMA_AHEAD, VERSIONS_DIFFER)


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    if isinstance(look.database, DatabaseFacts) and not look.database.current:
        yield _schema(look.database)
    versions = {wanted.version: ["this program"]}
    for seen in look.living():
        versions.setdefault(seen.process.version, []).append(f"{seen.process.kind} on {seen.process.host}")
    if len(versions) > 1:
        told = (f"{version}: {', '.join(sorted(set(names)))}" for version, names in sorted(versions.items()))
        yield VERSIONS_DIFFER.found("; ".join(told))


def _schema(facts: DatabaseFacts) -> Finding:
    if facts.schema is None:
        return SCHEMA_MISSING.found(f"nothing, wanted {facts.newest}")
    diagnostic = SCHEMA_BEHIND if facts.schema in facts.migrations else SCHEMA_AHEAD
    return diagnostic.found(f"it is at {facts.schema}, the newest that this program knows is {facts.newest}")
