"""Checks that the schema fits this program, and that all processes run the same version."""

from collections.abc import Iterator

from ..facts import DatabaseFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

SCHEMA_MISSING = problem(
    "schema_missing",
    "the database has no schema",
    expected="the newest migration",
    fix="`orderflow db upgrade`",
)
SCHEMA_BEHIND = problem(
    "schema_behind",
    "the schema is older than this program",
    expected="the newest migration",
    fix="`orderflow db upgrade`",
)
SCHEMA_AHEAD = problem(
    "schema_ahead",
    "the schema is newer than this program",
    expected="a migration of this program",
    fix="install the newer orderflow-service here",
)
VERSIONS_DIFFER = warning(
    "versions_differ",
    "processes of different versions are running",
    expected="one version, except during an upgrade",
    fix="restart those of the older version from the newer installation",
)
DIAGNOSTICS = (SCHEMA_MISSING, SCHEMA_BEHIND, SCHEMA_AHEAD, VERSIONS_DIFFER)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    if isinstance(observation.database, DatabaseFacts) and not observation.database.current:
        yield _schema(observation.database)
    versions = {expected.version: ["this program"]}
    for known in observation.living():
        versions.setdefault(known.process.version, []).append(f"{known.process.kind} on {known.process.host}")
    if len(versions) > 1:
        found = (f"{version}: {', '.join(sorted(set(names)))}" for version, names in sorted(versions.items()))
        yield VERSIONS_DIFFER.found("; ".join(found))


def _schema(facts: DatabaseFacts) -> Finding:
    if facts.schema is None:
        return SCHEMA_MISSING.found(f"none, this program needs {facts.newest}")
    diagnostic = SCHEMA_BEHIND if facts.schema in facts.migrations else SCHEMA_AHEAD
    return diagnostic.found(f"it is at {facts.schema}, the newest of this program is {facts.newest}")
