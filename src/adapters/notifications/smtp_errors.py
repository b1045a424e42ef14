"""What is wrong with a mail server, in words that say what to look at, and as one of the doctor's causes."""

import socket
from collections.abc import Iterator
from ssl import SSLCertVerificationError, SSLError

from aiosmtplib import SMTPAuthenticationError, SMTPResponseException, SMTPServerDisconnected, SMTPTimeoutError

from ...application.health.facts import FailureReason
from ..certificates import fault


def said(failure: Exception) -> str:
    """``failure`` in words; without a login's password, which no server repeats."""
    for error in _beneath(failure):
        if isinstance(error, SSLCertVerificationError):
            return f"its certificate {fault(error, authorities='ORDERFLOW_SMTP_CA_FILE')}"
        if isinstance(error, SSLError):
            return f"there is no TLS at this port, see ORDERFLOW_SMTP_SECURITY ({error.reason or error})"
    if isinstance(failure, SMTPAuthenticationError):
        return f"the login is refused ({failure.code} {failure.message})"
    if isinstance(failure, SMTPResponseException):
        return f"{failure.code} {failure.message}"
    return str(failure) or type(failure).__name__


def cause(failure: Exception) -> FailureReason:
    """Why there was no answer."""
    chain = list(_beneath(failure))
    # A server that offers no STARTTLS, or no login before it, is told in words alone.
    if any(isinstance(error, SSLError) for error in chain) or "STARTTLS" in str(failure):
        return FailureReason.TLS
    if isinstance(failure, SMTPAuthenticationError) or "AUTH" in str(failure):
        return FailureReason.AUTHENTICATION
    for kind, found in (
        (socket.gaierror, FailureReason.NO_SUCH_HOST),
        (ConnectionRefusedError, FailureReason.REFUSED),
        (SMTPTimeoutError, FailureReason.TIMEOUT),
        (SMTPServerDisconnected, FailureReason.DROPPED),
        (ConnectionResetError, FailureReason.DROPPED),
    ):
        if any(isinstance(error, kind) for error in chain):
            return found
    return FailureReason.OTHER


def _beneath(error: BaseException | None) -> Iterator[BaseException]:
    """``error``, and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__
