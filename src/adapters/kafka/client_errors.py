"""Why Kafka's brokers do not answer: what a client says of that by itself, where a call fails with "no answer" only."""

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from time import monotonic

from attrs import define, field
from confluent_kafka import KafkaError

from ..certificates import fault
from .settings import KafkaSettings

LATELY = 15.0
"""Seconds for which a complaint explains that there is no answer."""
_VAGUE = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._FATAL,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
    }
)
_DEFINITE = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})
"""Asking again does not mend these."""
_BROKER = re.compile(r"ssl://([^/]+):(\d+)/")
_PROBE_SECONDS = 3.0
_AUTHORITIES = ("ssl.ca.location", "ssl.ca.pem")


@define(eq=False)
class ClientErrors:
    """One client's, as its ``error_cb``; ``also`` hears them too. ``properties`` are the client's."""

    properties: Mapping[str, str]
    also: Callable[[KafkaError], None] | None = None
    _heard: KafkaError | None = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)
    _looked: dict[str, tuple[float, str]] = field(factory=dict, init=False)

    def __call__(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN and (error.code() in _DEFINITE or not self.definite):
            self._heard, self._at = error, monotonic()
        if self.also is not None:
            self.also(error)

    @property
    def definite(self) -> bool:
        """Whether it is the login or the certificate, lately."""
        lately = self._lately()
        return lately is not None and lately.code() in _DEFINITE

    def instead_of(self, error: KafkaError) -> str:
        """What is to be said of ``error``: more than itself, where it is vague and the client has complained lately."""
        lately = self._lately()
        if error.code() in _DEFINITE:
            return self._explained(error)
        return self._explained(lately) if lately is not None and error.code() in _VAGUE else _plain(error)

    def reason(self) -> str:
        """What the client has complained of lately; nothing where it has not."""
        lately = self._lately()
        return self._explained(lately) if lately is not None else ""

    def _lately(self) -> KafkaError | None:
        return self._heard if monotonic() - self._at < LATELY else None

    def _explained(self, error: KafkaError) -> str:
        if error.code() == KafkaError._AUTHENTICATION:
            return f"the login is refused: {_plain(error)}"
        found = self._certificate(error.str()) if "certificate verify failed" in error.str() else ""
        return f"{found}: {_plain(error)}" if found else _plain(error)

    def _certificate(self, said: str) -> str:
        """What is wrong with the broker's certificate: librdkafka always says the same, so we look ourselves."""
        broker = _BROKER.search(said)
        if broker is None:
            return ""
        at, found = self._looked.get(broker[0], (-LATELY, ""))
        if monotonic() - at >= LATELY:
            found = self._look(broker[1].strip("[]"), int(broker[2]))
            self._looked[broker[0]] = (monotonic(), found)
        return found

    def _look(self, host: str, port: int) -> str:
        location, pem = (self.properties.get(name) for name in _AUTHORITIES)
        try:
            context = ssl.create_default_context(cafile=location, cadata=pem)
            with socket.create_connection((host, port), _PROBE_SECONDS) as plain:
                context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLCertVerificationError as refusal:
            return f"the certificate of {host}:{port} {fault(refusal, authorities=_AUTHORITIES[0])}"
        except OSError:
            return ""  # it was another fault, and what librdkafka says stands for itself
        return ""


def tls_wanted(settings: KafkaSettings) -> str:
    """That a broker speaks TLS where our settings do not; empty where none does. Takes at most a second."""
    protocol = settings.properties.get("security.protocol", "plaintext")
    if protocol.lower().endswith("ssl"):
        return ""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    until = monotonic() + 1.0
    for server in settings.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), max(0.1, until - monotonic())) as plain:
                anybody.wrap_socket(plain).close()
        except (OSError, ValueError):
            continue
        return f"{server.strip()} speaks TLS, and security.protocol is {protocol}"
    return ""


def _plain(error: KafkaError) -> str:
    return f"{error.str()} ({error.name()})"
