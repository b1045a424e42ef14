"""Checks the certificate of the API, and the OpenID provider whose tokens it accepts."""

from collections.abc import Iterator
from datetime import timedelta

from ..facts import OIDC, CertificateFacts, ConnectionFailure
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

SOON = timedelta(days=14)
RECENT = timedelta(minutes=10)
"""A process reads the keys every five minutes."""

CERTIFICATE_UNUSABLE = problem(
    "certificate_unusable",
    "the API's certificate cannot be used, so the API does not start",
    expected="a certificate that is valid today, and its key",
    fix="correct the setting or the file that is named; a running API reads new files within seconds",
)
CERTIFICATE_EXPIRES = warning(
    "certificate_expires",
    "the API's certificate expires soon",
    expected=f"at least {SOON.days} days",
    fix="renew it, and replace its files; a running API reads them within seconds",
)
KEYS_UNREAD = problem(
    "identity_keys_unread",
    "the keys of the OpenID provider cannot be read",
    expected="a key set with at least one usable key",
    fix="check ORDERFLOW_OIDC_ISSUER and _JWKS_URL, and the way to the provider; known keys are used for a day",
)
DIAGNOSTICS = (CERTIFICATE_UNUSABLE, CERTIFICATE_EXPIRES, KEYS_UNREAD)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    certificate = observation.certificate
    if isinstance(certificate, ConnectionFailure):
        yield CERTIFICATE_UNUSABLE.found(certificate.message)
    elif isinstance(certificate, CertificateFacts) and certificate.expires_at - observation.at < SOON:
        yield CERTIFICATE_EXPIRES.found(f"it expires on {certificate.expires_at:%Y-%m-%d at %H:%M} UTC")
    if observation.identity is not None:
        yield KEYS_UNREAD.found(observation.identity.message)
        return
    for known in observation.living():
        failure = known.process.failure
        if failure is not None and failure.part == OIDC and observation.at - failure.at < RECENT:
            yield KEYS_UNREAD.found(f"by {known.process.kind} on {known.process.host} (process {known.process.pid})")
