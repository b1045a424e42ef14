"""A certificate that no client could verify is refused when it is read, with the setting that is wrong."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from orderflow.adapters.server_certificate import MAX_BYTES, CertificateFiles
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.settings import Settings, described
from orderflow.entrypoints.wiring.certificate import certificate_files

from tests.support.certificates import Certificates

CERTIFICATE, KEY = "ORDERFLOW_HTTP_TLS_CERTIFICATE", "ORDERFLOW_HTTP_TLS_KEY"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path)
    made.write()
    return made


def test_a_certificate_shows_when_it_expires(certificates: Certificates) -> None:
    expires_at = certificates.files().read().expires_at

    assert timedelta(days=399) < expires_at - datetime.now(UTC) < timedelta(days=401)


def test_one_file_may_have_certificate_and_key(certificates: Certificates, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join((tmp_path / name).read_bytes() for name in ("server-key.pem", "server.pem")))

    assert CertificateFiles(certificate=str(both)).read().expires_at > datetime.now(UTC)


def test_an_encrypted_key_needs_its_password(certificates: Certificates) -> None:
    certificates.write("locked", password="s3cr:et")

    assert certificates.files("locked", key_password="s3cr:et").read().expires_at > datetime.now(UTC)
    for wrong in ("", "guess", "x" * 2000):
        with pytest.raises(InvalidInput, match="does not decrypt") as refused:
            certificates.files("locked", key_password=wrong).read()
        assert refused.value.field == "ORDERFLOW_HTTP_TLS_KEY_PASSWORD"
        assert "guess" not in str(refused.value)


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


WRONG = {
    "no file": (CERTIFICATE, "cannot be read: No such file", lambda c: evolve(c.files(), certificate=c.path("none"))),
    "a folder": (CERTIFICATE, "is no file", lambda c: evolve(c.files(), certificate=str(c.folder))),
    "a pipe": (CERTIFICATE, "is no file", lambda c: evolve(c.files(), certificate=_pipe(c.folder))),
    "endless": (CERTIFICATE, "is no file", lambda c: evolve(c.files(), certificate="/dev/zero")),
    "a name that is none": (CERTIFICATE, "cannot be read", lambda c: evolve(c.files(), certificate="a\0b")),
    "the key instead": (
        CERTIFICATE,
        "no certificate",
        lambda c: evolve(c.files(), certificate=c.path("server-key.pem")),
    ),
    "no key": (KEY, "no private key", lambda c: evolve(c.files(), key=c.path("server.pem"))),
    "no key in the file": (KEY, "no private key", lambda c: evolve(c.files(), key="")),
    "no file of the key": (KEY, "cannot be read: No such file", lambda c: evolve(c.files(), key=c.path("none"))),
    "another key": (KEY, "is not the key of", lambda c: evolve(c.files(), key=c.path("other-key.pem"))),
    "expired": (CERTIFICATE, "has expired", lambda c: c.files("expired")),
    "not valid yet": (CERTIFICATE, "is not valid yet", lambda c: c.files("future")),
    "no authority": ("ORDERFLOW_HTTP_TLS_CLIENT_CA", "No such file", lambda c: c.files(client_ca=c.path("none"))),
    "no certificate of one": (
        "ORDERFLOW_HTTP_TLS_CLIENT_CA",
        "has no certificates of authorities",
        lambda c: c.files(client_ca=c.path("server-key.pem")),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_files_that_cannot_be_used_are_refused_by_the_name_of_their_setting(
    certificates: Certificates, what: str
) -> None:
    for name, age in (("other", "valid"), ("expired", "expired"), ("future", "future")):
        certificates.write(name, age=age)
    setting, problem, files = WRONG[what]

    with pytest.raises(InvalidInput, match=problem) as refused:
        files(certificates).read()

    assert refused.value.field == setting


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\nnonsense", b"x" * (MAX_BYTES + 1), b"\xff\xfe"]
)
def test_nonsense_is_refused(certificates: Certificates, content: bytes) -> None:
    (certificates.folder / "server.pem").write_bytes(content)

    with pytest.raises(InvalidInput) as refused:
        certificates.files().read()

    assert refused.value.field == CERTIFICATE
    assert len(str(refused.value)) < 1_000


def test_a_certificate_for_clients_is_refused(certificates: Certificates) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=9))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .sign(key, SHA256())
    )
    (certificates.folder / "client.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )

    with pytest.raises(InvalidInput, match="is not for servers"):
        CertificateFiles(certificate=certificates.path("client.pem")).read()


@pytest.mark.parametrize("name", ["http_tls_key", "http_tls_key_password", "http_tls_client_ca"])
def test_a_setting_for_a_certificate_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="there would be no TLS") as refused:
        certificate_files(Settings(**{name: "something"}))

    assert refused.value.field == f"ORDERFLOW_{name.upper()}"


def test_the_password_of_the_key_is_never_shown() -> None:
    settings = Settings(http_tls_certificate="c.pem", http_tls_key_password="s3cr:et")

    assert described(settings)["http_tls_key_password"] == "********"
    assert "s3cr:et" not in repr(settings) + repr(certificate_files(settings))
