"""Reads the authorities that are trusted, and describes why the certificate of a server was refused."""

from ssl import SSLCertVerificationError, SSLContext, create_default_context

from ..domain.errors import InvalidInput

_OTHER_HOST = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_EXPIRED = 10


def certificate_problem(error: SSLCertVerificationError, *, authorities: str) -> str:
    """Return a clause for the subject "its certificate". ``authorities`` is the setting for the trusted authorities."""
    if error.verify_code in _OTHER_HOST:
        return f"is for another host name ({error.verify_message})"
    if error.verify_code == _EXPIRED:
        return f"has expired ({error.verify_message})"
    return f"is not signed by a trusted authority, see {authorities} ({error.verify_message})"


def trusting(file: str, *, setting: str) -> SSLContext:
    """Return a context that trusts the authorities of ``file`` and no others; without a file, the system's.

    Raises InvalidInput, which names ``setting``.
    """
    try:
        return create_default_context(cafile=file or None)
    except OSError as error:  # as are ssl's own errors
        raise InvalidInput(setting, f"{file!r} holds no certificates: {error}", "a PEM file of authorities") from error
