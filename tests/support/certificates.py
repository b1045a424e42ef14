"""Certificates for servers and clients of tests, of an authority of their own."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from attrs import define, field
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from orderflow.adapters.server_certificate import CertificateFiles

AGES = {
    "valid": (-1, 400),
    "soon": (-1, 3),
    "expired": (-30, -1),
    "future": (1, 400),
}
"""Days from now until a certificate is valid, and until it expires."""


@define
class Certificates:
    """Writes certificates of ``authority`` for ``localhost`` into ``folder``."""

    folder: Path
    authority: trustme.CA = field(factory=trustme.CA)

    def write(self, name: str = "server", *, age: str = "valid", password: str = "", host: str = "localhost") -> None:
        """Write a new certificate and its key to NAME.pem and NAME-key.pem, as whole files."""
        begins, ends = (datetime.now(UTC) + timedelta(days=days) for days in AGES[age])
        leaf = self.authority.issue_cert(host, "127.0.0.1", not_before=begins, not_after=ends)
        key = leaf.private_key_pem.bytes()
        if password:
            key = load_pem_private_key(key, None).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
            )
        self._replace(f"{name}-key.pem", key)
        self._replace(f"{name}.pem", b"".join(each.bytes() for each in leaf.cert_chain_pems))

    def _replace(self, name: str, content: bytes) -> None:
        (self.folder / "new").write_bytes(content)
        (self.folder / "new").replace(self.folder / name)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def files(self, name: str = "server", **more: str) -> CertificateFiles:
        return CertificateFiles(certificate=self.path(f"{name}.pem"), key=self.path(f"{name}-key.pem"), **more)

    def write_authority(self, name: str = "authority.pem") -> str:
        self.authority.cert_pem.write_to_path(self.path(name))
        return self.path(name)

    def client(self, certificate: str = "") -> ssl.SSLContext:
        """Return an SSL context for a client: its trusted authority and its certificate."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certificate:
            context.load_cert_chain(self.path(f"{certificate}.pem"), self.path(f"{certificate}-key.pem"))
        return context
