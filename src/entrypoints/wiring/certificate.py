"""The certificate of the API, as the settings name it, and its probe for the doctor."""

import asyncio

from attrs import frozen

from ...adapters.server_certificate import CERTIFICATE, CertificateFiles
from ...application.health.facts import CertificateFacts
from ...domain.errors import InvalidInput
from ..settings import Settings


def certificate_files(settings: Settings) -> CertificateFiles | None:
    """Return the files of the certificate; None without TLS. Raises InvalidInput for a key without a certificate."""
    others = {
        "ORDERFLOW_HTTP_TLS_KEY": settings.http_tls_key,
        "ORDERFLOW_HTTP_TLS_KEY_PASSWORD": settings.http_tls_key_password,
        "ORDERFLOW_HTTP_TLS_CLIENT_CA": settings.http_tls_client_ca,
    }
    if not settings.http_tls_certificate:
        for name in [name for name, value in others.items() if value]:
            raise InvalidInput(name, f"it is set without {CERTIFICATE}, so there would be no TLS", "both, or neither")
        return None
    return CertificateFiles(
        certificate=settings.http_tls_certificate,
        key=settings.http_tls_key,
        key_password=settings.http_tls_key_password,
        client_ca=settings.http_tls_client_ca,
    )


@frozen
class CertificateProbe:
    """Reads the certificate of the API."""

    files: CertificateFiles

    async def facts(self) -> CertificateFacts:
        return CertificateFacts(expires_at=(await asyncio.to_thread(self.files.read)).expires_at)


def certificate_health(settings: Settings) -> CertificateProbe | None:
    """Return the probe of the certificate; None without TLS. Raises as ``certificate_files``."""
    files = certificate_files(settings)
    return None if files is None else CertificateProbe(files)
