"""The certificate with which a server proves itself: read from files, and checked before it is used."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from ssl import CERT_NONE, CERT_REQUIRED, MemoryBIO, SSLContext, SSLError, SSLObject, SSLWantReadError
from stat import S_ISREG

from attrs import field, frozen

from ..domain.errors import InvalidInput

CERTIFICATE = "ORDERFLOW_HTTP_TLS_CERTIFICATE"
KEY = "ORDERFLOW_HTTP_TLS_KEY"
KEY_PASSWORD = "ORDERFLOW_HTTP_TLS_KEY_PASSWORD"
CLIENT_CA = "ORDERFLOW_HTTP_TLS_CLIENT_CA"

MAX_BYTES = 1_000_000
"""Bytes of a file; more is no certificate."""
_ALLOWED = {
    CERTIFICATE: "a PEM file with the server's certificate, followed by those between it and its authority",
    KEY: "a PEM file with the private key of the certificate",
    KEY_PASSWORD: "the password of the private key",
    CLIENT_CA: "a PEM file with the authorities whose certificates clients must have",
}
_NOT_YET_VALID, _EXPIRED = 9, 10
"""Results of verification: X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


@frozen
class ServerCertificate:
    """A certificate that clients can verify today, as a context for their connections."""

    context: SSLContext
    expires_at: datetime


@frozen(kw_only=True)
class CertificateFiles:
    """The files of a certificate. Without a ``key``, the file of the certificate has it.

    With ``client_ca``, every client must have a certificate of one of these authorities.
    """

    certificate: str
    key: str = ""
    key_password: str = field(default="", repr=False)
    client_ca: str = ""

    def version(self) -> tuple[object, ...]:
        """Return a value that changes when a file changes. A file that is not there is a version, too."""
        return tuple(_version(file) for file in (self.certificate, self.key, self.client_ca) if file)

    def read(self) -> ServerCertificate:
        """Read the files, and try them in a handshake. Raises InvalidInput, with the setting that is wrong."""
        if "-----BEGIN CERTIFICATE-----" not in _text(CERTIFICATE, self.certificate):
            raise _invalid(CERTIFICATE, f"{self.certificate!r} has no certificate in PEM format")
        where = KEY if self.key else CERTIFICATE
        key = _text(where, self.key or self.certificate)
        if "PRIVATE KEY-----" not in key:
            raise _invalid(KEY, f"{self.key or self.certificate!r} has no private key in PEM format")
        context = _context()
        try:
            context.load_cert_chain(self.certificate, self.key or None, self.key_password)
        except (SSLError, ValueError) as error:
            raise self._unusable(error, encrypted="ENCRYPTED" in key) from error
        except OSError as error:  # it was replaced meanwhile
            raise _unreadable(CERTIFICATE, self.certificate, error) from error
        expires_at = self._tried(context)
        if self.client_ca:
            self._demand_certificates(context)
        return ServerCertificate(context, expires_at)

    def _unusable(self, error: Exception, *, encrypted: bool) -> InvalidInput:
        reason = getattr(error, "reason", None) or str(error)
        if reason == "KEY_VALUES_MISMATCH":
            return _invalid(KEY, f"{self.key or self.certificate!r} is not the key of {self.certificate!r}")
        if encrypted:
            return _invalid(KEY_PASSWORD, f"it does not decrypt the key in {self.key or self.certificate!r}")
        return _invalid(CERTIFICATE, f"{self.certificate!r} and its key cannot be used: {reason}")

    def _tried(self, context: SSLContext) -> datetime:
        """Return the expiry of the certificate, after a client that trusts nothing else has verified it."""
        try:
            anyone = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anyone.check_hostname, anyone.verify_mode = False, CERT_NONE
            certificate = _greeted(anyone, context).getpeercert(binary_form=True)
            trusting = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trusting.check_hostname = False
            trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            trusting.load_verify_locations(cadata=certificate)
            found = _greeted(trusting, context).getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            problems = {_EXPIRED: "has expired", _NOT_YET_VALID: "is not valid yet"}
            problem = problems.get(error.verify_code, f"is not for servers: {error.verify_message}")
            raise _invalid(CERTIFICATE, f"the certificate in {self.certificate!r} {problem}") from error
        except SSLError as error:
            problem = f"the certificate in {self.certificate!r} cannot be used: {error.reason}"
            raise _invalid(CERTIFICATE, problem) from error
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)

    def _demand_certificates(self, context: SSLContext) -> None:
        _text(CLIENT_CA, self.client_ca)
        try:
            context.load_verify_locations(self.client_ca)
        except OSError as error:  # as are ssl's own errors
            raise _invalid(CLIENT_CA, f"{self.client_ca!r} has no certificates of authorities: {error}") from error
        context.verify_mode = CERT_REQUIRED


def _context() -> SSLContext:
    """Return a context for TLS 1.2 and newer, without renegotiation, which only costs the server."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _greeted(client: SSLContext, server: SSLContext) -> SSLObject:
    """Return ``client``'s end of a handshake with ``server`` in memory. Raises SSLError."""
    to_server, to_client = MemoryBIO(), MemoryBIO()
    one = client.wrap_bio(to_client, to_server)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    while True:
        try:
            one.do_handshake()
            return one
        except SSLWantReadError:
            pass
        try:
            other.do_handshake()
        except SSLWantReadError:
            continue


def _version(file: str) -> tuple[int, ...]:
    try:
        found = Path(file).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _text(setting: str, file: str) -> str:
    """Return the beginning of a file as text. Raises InvalidInput if it is none, or is too large."""
    try:
        if not S_ISREG(Path(file).stat().st_mode):  # a pipe would never end
            raise _invalid(setting, f"{file!r} is no file")
        with Path(file).open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(setting, file, error) from error
    if len(content) > MAX_BYTES:
        raise _invalid(setting, f"{file!r} has more than {MAX_BYTES} bytes")
    return content.decode("latin-1")


def _unreadable(setting: str, file: str, error: Exception) -> InvalidInput:
    return _invalid(setting, f"{file!r} cannot be read: {getattr(error, 'strerror', None) or error}")


def _invalid(setting: str, problem: str) -> InvalidInput:
    return InvalidInput(setting, problem, _ALLOWED[setting])
