"""Whether the servers answer, how fast, and if not, why."""

from collections.abc import Iterator, Mapping

from ..facts import ConnectionFailure, FailureReason
from ..observation import Observation
from .expectations import Expectations
from .finding import Diagnostic, Finding, problem, warning

SLOW_SECONDS = 0.25
"""What a server may take for a question that costs it nothing."""
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
    """Why ``server`` may give no answer."""
    name, setting, login, tls = (told[server] for told in (_NAMES, _SETTINGS, _LOGINS, _TLS))
    told = {
        FailureReason.NO_SUCH_HOST: (
            "no_such_host",
            "has a name that nobody knows",
            f"correct the host in {setting}, or DNS",
        ),
        FailureReason.REFUSED: ("refused", "is not there", f"start it, or correct host and port in {setting}"),
        FailureReason.TIMEOUT: ("timeout", "does not answer in time", "look at the server's load, and at firewalls"),
        FailureReason.AUTHENTICATION: ("authentication", "does not know who asks", f"correct {login}"),
        FailureReason.TLS: (
            "tls",
            "and this machine find no TLS in common",
            f"correct {tls}, or the server's certificate",
        ),
        FailureReason.DROPPED: ("dropped", "ends the connection", f"it may want TLS or a login: see {tls}"),
        FailureReason.OTHER: ("failed", "fails", "see what it said; the server's log has more"),
    }
    if server != "mail":
        told[FailureReason.NOT_ALLOWED] = (
            "not_allowed",
            "does not allow what is asked",
            "grant this user what `docs/health.md` lists",
        )
        told[FailureReason.SETTING] = (
            "settings",
            "is asked for by settings that cannot be",
            f"correct {tls}, or whatever else is named: `orderflow config` shows all",
        )
    if server == "database":
        told[FailureReason.NO_SUCH_DATABASE] = (
            "missing",
            "has no database of that name",
            f"`createdb`, or correct the name in {setting}; then `orderflow db upgrade`",
        )
        told[FailureReason.POOLER] = (
            "pooler",
            "is behind a pooler that nobody told of",
            "set ORDERFLOW_DATABASE_POOLER=transaction, or name PostgreSQL itself",
        )
        told[FailureReason.BUSY] = (
            "busy",
            "takes no more connections",
            "raise max_connections, or run fewer processes",
        )
    return {
        cause: problem(f"{server}_{code}", f"{name} {what}", wanted="an answer", mend=mend)
        for cause, (code, what, mend) in told.items()
    }


UNREACHED = {server: _unreached(server) for server in _SETTINGS}
SLOW = {
    server: warning(
        f"{server}_slow",
        f"{_NAMES[server]} answers slowly",
        wanted=f"an answer within {SLOW_SECONDS:g} s",
        mend="look at the network between here and there, and at the server's load",
    )
    for server in ("database", "kafka")
}
UNANSWERED = problem(
    "unanswered",
    "the database answers, but not to every question",
    wanted="an answer to each",
    mend="look at the server's load and locks; the doctor's own log says more",
)
DIAGNOSTICS = (*(each for causes in UNREACHED.values() for each in causes.values()), *SLOW.values(), UNANSWERED)
_TOLD_ELSEWHERE = {*UNREACHED, "schema"}


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    for server, facts in (("database", look.database), ("kafka", look.stream), ("mail", look.mail)):
        if isinstance(facts, ConnectionFailure):
            diagnostic = UNREACHED[server].get(facts.reason, UNREACHED[server][FailureReason.OTHER])
            yield diagnostic.found(facts.message)
        elif facts is not None and server in SLOW and facts.took > SLOW_SECONDS:
            yield SLOW[server].found(f"{facts.took:.2f} s")
    for asked, said in look.unanswered.items():
        if asked not in _TOLD_ELSEWHERE:
            yield UNANSWERED.found(f"{asked}: {said}")
