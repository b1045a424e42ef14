"""Describes why the certificate of a server was refused."""

from ssl import SSLCertVerificationError

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
