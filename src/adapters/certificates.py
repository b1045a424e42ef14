"""What is wrong with a server's certificate, in words that say what to look at."""

from ssl import SSLCertVerificationError

_OTHER_HOST = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_EXPIRED = 10


def fault(refusal: SSLCertVerificationError, *, authorities: str) -> str:
    """What follows "its certificate"; ``authorities`` is the setting that names those who are trusted."""
    if refusal.verify_code in _OTHER_HOST:
        return f"is for another host name ({refusal.verify_message})"
    if refusal.verify_code == _EXPIRED:
        return f"has expired ({refusal.verify_message})"
    return f"is of no authority that is trusted here, see {authorities} ({refusal.verify_message})"
