"""Audit lines: who asked for what, from where, and with what outcome.

Each is one line of the logger ``orderflow.audit``, at level info, which is its own level: the level of other lines does
not drop it. It has identifiers, names of actions and codes only.
"""

import logging
from collections.abc import Iterable
from typing import NotRequired, TypedDict, Unpack

from .log_lines import log_each, request_fields
from .request_context import Request

logger = logging.getLogger("orderflow.audit")


class AuditFields(TypedDict):
    """``door`` is where it was asked: http, cli, process or joined; ``actor`` is empty if it is not known.

    What was joined may have been rolled back with the transaction that it joined.
    ``origin`` is the address of the connection, or the user of the command line; ``label`` is that of the token;
    ``subject`` is what it is about if it is not an order, such as a customer.
    """

    door: str
    action: str
    outcome: str
    actor: NotRequired[str]
    label: NotRequired[str]
    origin: NotRequired[str]
    order_id: NotRequired[str]
    subject: NotRequired[str]


def keep_audit() -> None:
    """Let audit lines pass, unless the application has set a level of its own for their logger."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


DONE = "ok"
"""The outcome of what was done; any other is the code of the refusal or the failure."""


def audit(request: Request, **fields: Unpack[AuditFields]) -> None:
    """Write an audit line."""
    audit_each(request, [fields])


def audit_each(request: Request, all_fields: Iterable[AuditFields]) -> None:
    """Write an audit line for each of these, which one request has caused."""
    log_each(logger, logging.INFO, "audit", (_line(request, fields) for fields in all_fields))


def _line(request: Request, fields: AuditFields) -> dict[str, object]:
    """Return the fields of a line: those that it always has, and the others that are not empty."""
    always = {"door": fields["door"], "actor": fields.get("actor", ""), "action": fields["action"]}
    others = {"origin": request.origin, **fields}
    return {**request_fields(request), **always, "outcome": fields["outcome"]} | {
        name: value for name, value in others.items() if value and name not in always
    }
