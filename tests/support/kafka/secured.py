"""A listener with SASL_SSL, next to a broker's plain one: a SCRAM user, a certificate for ``localhost`` alone."""

import secrets
from collections.abc import Mapping
from pathlib import Path

import trustme
from attrs import field, frozen
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

MECHANISM = "SCRAM-SHA-512"
LISTENER = "SECURED"


@frozen
class SecuredListener:
    """A secured listener's ``address``, ``authority`` (a PEM file), ``user`` and ``password``.

    The certificate names ``localhost``, so the same port at 127.0.0.1 is the wrong host.
    """

    folder: Path
    port: int
    user: str = "orders"
    password: str = field(factory=lambda: secrets.token_urlsafe(12), repr=False)

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def settings(self) -> Mapping[str, str]:
        """A client's, as environment variables of orderflow."""
        return {
            "ORDERFLOW_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "ORDERFLOW_KAFKA_SASL_MECHANISM": MECHANISM,
            "ORDERFLOW_KAFKA_SASL_USERNAME": self.user,
            "ORDERFLOW_KAFKA_SASL_PASSWORD": self.password,
            "ORDERFLOW_KAFKA_SSL_CA_LOCATION": str(self.authority),
        }

    def certify(self) -> None:
        """Write the authority and the broker's certificate with its key."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        leaf = authority.issue_cert("localhost")
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        chain = b"".join(each.bytes() for each in leaf.cert_chain_pems)
        # Kafka reads keys in PKCS 8 only.
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "broker.pem").write_bytes(pkcs8 + chain)

    @property
    def credentials(self) -> str:
        """The option of the storage tool that creates the user before the first start."""
        return f"{MECHANISM}=[name={self.user},password={self.password}]"

    @property
    def properties(self) -> Mapping[str, str]:
        """The broker's properties, without those that name its listeners."""
        name = f"listener.name.{LISTENER.lower()}"
        return {
            f"{name}.sasl.enabled.mechanisms": MECHANISM,
            f"{name}.{MECHANISM.lower()}.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            f"{name}.ssl.keystore.type": "PEM",
            f"{name}.ssl.keystore.location": str(self.folder / "broker.pem"),
        }
