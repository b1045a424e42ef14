"""The failures of a mail server: which are permanent, as text, and as a FailureReason."""

import socket
from collections.abc import Iterator
from ssl import SSLCertVerificationError, SSLError

from aiosmtplib import SMTPAuthenticationError, SMTPResponseException, SMTPServerDisconnected, SMTPTimeoutError

from ...application.health.facts import FailureReason
from ..certificates import certificate_problem

_CLOSING = 421
"""The reply of a server that closes the connection."""


def is_permanent(reply: SMTPResponseException) -> bool:
    """Return whether the message is refused for ever: a 5yz reply (RFC 5321, 4.2.1)."""
    return reply.code in range(500, 600)


def is_temporary(reply: SMTPResponseException) -> bool:
    """Return whether only this message is refused, and a retry may succeed: a 4yz reply (RFC 5321, 4.2.1)."""
    return reply.code in range(400, 500) and reply.code != _CLOSING


def error_text(failure: Exception) -> str:
    """Describe ``failure``. The text contains no password, because servers do not repeat it."""
    for error in _causes(failure):
        if isinstance(error, SSLCertVerificationError):
            return f"its certificate {certificate_problem(error, authorities='ORDERFLOW_SMTP_CA_FILE')}"
        if isinstance(error, SSLError):
            return f"the server does not use TLS on this port, see ORDERFLOW_SMTP_SECURITY ({error.reason or error})"
    if isinstance(failure, SMTPAuthenticationError):
        return f"the login is refused ({failure.code} {failure.message})"
    if isinstance(failure, SMTPResponseException):
        return f"{failure.code} {failure.message}"
    return str(failure) or type(failure).__name__


def failure_reason(failure: Exception) -> FailureReason:
    """Return the reason of ``failure``."""
    chain = list(_causes(failure))
    # aiosmtplib reports a server without STARTTLS, or without AUTH, only in the message.
    if any(isinstance(error, SSLError) for error in chain) or "STARTTLS" in str(failure):
        return FailureReason.TLS
    if isinstance(failure, SMTPAuthenticationError) or "AUTH" in str(failure):
        return FailureReason.AUTHENTICATION
    for kind, reason in (
        (socket.gaierror, FailureReason.NO_SUCH_HOST),
        (ConnectionRefusedError, FailureReason.REFUSED),
        (SMTPTimeoutError, FailureReason.TIMEOUT),
        (SMTPServerDisconnected, FailureReason.DROPPED),
        (ConnectionResetError, FailureReason.DROPPED),
    ):
        if any(isinstance(error, kind) for error in chain):
            return reason
    return FailureReason.OTHER


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and its causes."""
    while error is not None:
        yield error
        error = error.__cause__
