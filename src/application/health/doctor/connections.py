"""Checks that the servers answer, and how fast; if not, why."""

from collections.abc import Iterator, Mapping

from ..facts import ConnectionFailure, FailureReason
from ..observation import Observation
from .expectations import Expectations
from .finding import Diagnostic, Finding, problem, warning

SLOW_SECONDS = 0.25
"""Seconds that a server may take for a trivial query."""
_SETTINGS = {
    "database": "ORDERFLOW_DATABASE_URL",
    "kafka": "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS",
    "mail": "ORDERFLOW_SMTP_HOST",
}
_NAMES = {"database": "the database", "kafka": "Kafka", "mail": "the mail server"}
_LOGINS = {
    "database": "its user and password",
    "kafka": "ORDERFLOW_KAFKA_SASL_USERNAME, _PASSWORD, _MECHANISM",
    "mail": "ORDERFLOW_SMTP_USERNAME and _PASSWORD",
}
_TLS = {
    "database": "its sslmode and sslrootcert",
    "kafka": "ORDERFLOW_KAFKA_SECURITY_PROTOCOL and _SSL_CA_*",
    "mail": "ORDERFLOW_SMTP_SECURITY, _PORT and _CA_FILE",
}


def _unreached(server: str) -> Mapping[FailureReason, Diagnostic]:
    """Return the diagnostics of ``server`` by the reason why it cannot be reached or used."""
    name, setting, login, tls = (texts[server] for texts in (_NAMES, _SETTINGS, _LOGINS, _TLS))
    reasons = {
        FailureReason.NO_SUCH_HOST: (
            "no_such_host",
            "host name cannot be resolved",
            f"correct the host in {setting}, or DNS",
        ),
        FailureReason.REFUSED: (
            "refused",
            "refused the connection",
            f"start it, or correct host and port in {setting}",
        ),
        FailureReason.TIMEOUT: ("timeout", "does not answer in time", "check the server's load, and firewalls"),
        FailureReason.AUTHENTICATION: ("authentication", "authentication failed", f"correct {login}"),
        FailureReason.TLS: (
            "tls",
            "TLS handshake failed",
            f"correct {tls}, or the server's certificate",
        ),
        FailureReason.DROPPED: ("dropped", "closes the connection", f"it may require TLS or a login: see {tls}"),
        FailureReason.OTHER: ("failed", "reports an error", "read the message; the server's log has more"),
    }
    if server != "mail":
        reasons[FailureReason.NOT_ALLOWED] = (
            "not_allowed",
            "denies a permission",
            "grant this user the permissions in `docs/health.md`",
        )
        reasons[FailureReason.SETTING] = (
            "settings",
            "connection settings are invalid",
            f"correct {tls}, or the setting that is named: `orderflow config` shows all",
        )
    if server == "database":
        reasons[FailureReason.NO_SUCH_DATABASE] = (
            "missing",
            "name does not exist on the server",
            f"`createdb`, or correct the name in {setting}; then `orderflow db upgrade`",
        )
        reasons[FailureReason.POOLER] = (
            "pooler",
            "is behind a pooler that is not configured",
            "set ORDERFLOW_DATABASE_POOLER=transaction, or use the address of PostgreSQL itself",
        )
        reasons[FailureReason.READ_ONLY] = (
            "not_writable",
            "has no server that accepts writes",
            f"promote a standby, or correct the hosts or target_session_attrs in {setting}",
        )
        reasons[FailureReason.BUSY] = (
            "busy",
            "accepts no more connections",
            "raise max_connections, or run fewer processes",
        )
    return {
        reason: problem(f"{server}_{code}", f"{name} {what}", expected="an answer", fix=fix)
        for reason, (code, what, fix) in reasons.items()
    }


UNREACHED = {server: _unreached(server) for server in _SETTINGS}
SLOW = {
    server: warning(
        f"{server}_slow",
        f"{_NAMES[server]} answers slowly",
        expected=f"an answer within {SLOW_SECONDS:g} s",
        fix="check the network to the server, and the server's load",
    )
    for server in ("database", "kafka")
}
UNANSWERED = problem(
    "unanswered",
    "the database answers, but not every query",
    expected="an answer to each query",
    fix="check the server's load and locks; the doctor's log has more",
)
DIAGNOSTICS = (*(each for reasons in UNREACHED.values() for each in reasons.values()), *SLOW.values(), UNANSWERED)
_OTHER_FINDINGS = {*UNREACHED, "schema", "encoding"}


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    for server, facts in (
        ("database", observation.database),
        ("kafka", observation.stream),
        ("mail", observation.mail),
    ):
        if isinstance(facts, ConnectionFailure):
            diagnostic = UNREACHED[server].get(facts.reason, UNREACHED[server][FailureReason.OTHER])
            yield diagnostic.found(facts.message)
        elif facts is not None and server in SLOW and facts.took > SLOW_SECONDS:
            yield SLOW[server].found(f"{facts.took:.2f} s")
    for query, answer in observation.unanswered.items():
        if query not in _OTHER_FINDINGS:
            yield UNANSWERED.found(f"{query}: {answer}")
