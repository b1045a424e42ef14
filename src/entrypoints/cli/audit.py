"""The audit lines of the command line: which user asked for what, about which order, customer, token or part."""

import re
from collections import ChainMap
from collections.abc import Mapping

from attrs import asdict, has
from cyclopts import App

from ...application.audit import AuditFields, audit
from ...application.auth import token_id
from ...application.redaction import redact
from ...application.request_context import Request
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, OrderFlowError
from ...domain.text import is_identifier
from .output import OutputFailed

KINDS = {"customer_id": "customer", "restaurant": "restaurant", "endpoint": "endpoint", "consumer": "consumer"}
"""Parameters of commands that are ids of what the command is about, and what they are ids of."""
_TOKEN = re.compile(r"[0-9a-f]{12}\Z")


def run_audited(app: App, tokens: tuple[str, ...], command: str, correlation_id: str, *, reads: bool) -> int | None:
    """Run ``command`` with an audit line; one that ``reads`` has it only if it was refused what an actor asked for.

    A command line that cannot be parsed has none.
    """
    given = None if reads else _arguments(app, tokens)
    try:
        code = run_plain(app, tokens)
    except (Exception, KeyboardInterrupt) as error:
        if given is None and isinstance(error, OrderFlowError) and "as_" in (read := _arguments(app, tokens)):
            given = read
        if given is not None:
            _audit(command, given, _outcome_of(error), correlation_id)
        raise
    if given is not None:
        _audit(command, given, f"exit_{code}" if code else "ok", correlation_id)
    return code


def _arguments(app: App, tokens: tuple[str, ...]) -> Mapping[str, object]:
    """Return the arguments of a command line by the names of their parameters or fields. Raises CycloptsError."""
    _, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    fields = [asdict(given) for given in bound.arguments.values() if has(type(given))]
    return ChainMap(bound.arguments, *fields)


def run_plain(app: App, tokens: tuple[str, ...]) -> int | None:
    """Run the command line ``tokens``, and return its exit code if it has one."""
    code: int | None = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    return code


def _outcome_of(error: BaseException) -> str:
    """Return the outcome for the audit line of a command that ended with ``error``."""
    match error:
        case OrderFlowError():
            return error.code
        case OutputFailed():  # what it has changed stays changed
            return "output_failed"
        case KeyboardInterrupt():
            return "interrupted"
        case _:
            return "other"


def _audit(command: str, arguments: Mapping[str, object], outcome: str, correlation_id: str) -> None:
    """Write the audit line of a command line. Of its arguments, which may name persons, it has ids only."""
    request = Request(correlation_id=correlation_id, door="cli", origin=user())
    line: AuditFields = {"door": "cli", "action": command, "outcome": outcome, "subject": _subject(arguments)}
    if is_identifier(order_id := arguments.get("order_id")):
        line["order_id"] = redact(order_id)
    if actor := _actor(arguments.get("as_")):
        line["actor"] = actor
    audit(request, **line)


def user() -> str:
    """Return the name of the user who runs the command; empty for a container's user without one."""
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError):
        return ""


def _subject(arguments: Mapping[str, object]) -> str:
    if party := _actor(arguments.get("party")) or _actor(f"{arguments.get('role')}:{arguments.get('id')}"):
        return party
    if isinstance(token := arguments.get("token"), str):
        return f"token:{known}" if _TOKEN.match(known := token_id(token)) else ""
    named = ((kind, arguments.get(name)) for name, kind in KINDS.items())
    return next((f"{kind}:{redact(value)}" for kind, value in named if is_identifier(value)), "")


def _actor(text: object) -> str:
    """Return ``text`` if it is an actor as ROLE:ID, else an empty text."""
    try:
        return redact(str(Actor.parse(text))) if isinstance(text, str) else ""
    except InvalidInput:
        return ""
