"""Audit lines: who asked for what, from where, and with what outcome.

Each is one line of the logger ``orderflow.audit``, at level info. It has identifiers, names of actions and codes only.
"""

import logging

from .log_lines import log_each, request_fields
from .request_context import Request

logger = logging.getLogger("orderflow.audit")

DONE = "ok"
"""The outcome of what was done; any other is the code of the refusal or the failure."""


def audit(
    request: Request,
    *,
    door: str,
    action: str,
    outcome: str,
    actor: str = "",
    label: str = "",
    origin: str = "",
    order_id: str = "",
    subject: str = "",
) -> None:
    """Write an audit line. ``door`` is where it was asked: http, cli or process; ``actor`` is empty if it is not known.

    ``origin`` is the address of the connection, or the user of the command line; ``label`` is that of the token;
    ``subject`` is what it is about if it is not an order, such as a customer.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    line: dict[str, object] = {**request_fields(request), "door": door, "actor": actor, "action": action}
    line["outcome"] = outcome
    for name, value in (("order_id", order_id), ("label", label), ("origin", origin), ("subject", subject)):
        if value:
            line[name] = value
    log_each(logger, logging.INFO, "audit", [line])
