"""Explains why brokers do not respond, from the errors that a client reports besides those of its calls."""

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from time import monotonic

from attrs import define, field
from confluent_kafka import KafkaError, KafkaException, ThrottleEvent

from ..certificates import certificate_problem
from .settings import KafkaSettings

RECENT_SECONDS = 15.0
"""Seconds for which a reported error explains a missing response."""
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
"""Errors that a retry does not resolve."""
_OVERDUE = frozenset(
    {
        KafkaError._FENCED,
        KafkaError._PURGE_INFLIGHT,
        KafkaError._PURGE_QUEUE,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_TXN_STATE,
    }
)
"""Errors of a producer whose transaction took too long, so that the broker or the producer has aborted it."""
_BROKER = re.compile(r"ssl://([^/]+):(\d+)/")
_PROBE_SECONDS = 3.0
_AUTHORITIES = ("ssl.ca.location", "ssl.ca.pem")


@define(eq=False)
class ClientErrors:
    """Keeps the last error of one client, as its ``error_cb``. ``callback`` receives each error, too.

    ``properties`` are those of the client.
    """

    properties: Mapping[str, str]
    callback: Callable[[KafkaError], None] | None = None
    _last_error: KafkaError | None = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)
    _throttled: float = field(default=0.0, init=False)
    _throttled_until: float = field(default=0.0, init=False)
    _certificate_problems: dict[str, tuple[float, str]] = field(factory=dict, init=False)

    def __call__(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN and (error.code() in _DEFINITE or not self.is_definite):
            self._last_error, self._at = error, monotonic()
        if self.callback is not None:
            self.callback(error)

    def throttled(self, event: ThrottleEvent) -> None:
        """Note that a broker delays this client because of a quota, as its ``throttle_cb``."""
        if event.throttle_time > 0:
            self._throttled = event.throttle_time
            self._throttled_until = monotonic() + event.throttle_time + RECENT_SECONDS

    @property
    def is_definite(self) -> bool:
        """True if the login or the certificate was refused recently."""
        recent = self._recent_error()
        return recent is not None and recent.code() in _DEFINITE

    def explain(self, error: KafkaError) -> str:
        """Describe ``error``, or the recent error that explains it if ``error`` itself is vague."""
        recent = self._recent_error()
        if error.code() in _DEFINITE:
            return self._describe(error)
        if error.code() in _VAGUE | _OVERDUE and monotonic() < self._throttled_until:
            return (
                f"the broker throttles this client, by up to {self._throttled:.1f} s a request, because it exceeds a "
                f"quota: {error_text(error)}"
            )
        return self._describe(recent) if recent is not None and error.code() in _VAGUE else error_text(error)

    def recent_problem(self) -> str:
        """Describe the last error if it is recent, or return an empty text."""
        recent = self._recent_error()
        return self._describe(recent) if recent is not None else ""

    def _recent_error(self) -> KafkaError | None:
        return self._last_error if monotonic() - self._at < RECENT_SECONDS else None

    def _describe(self, error: KafkaError) -> str:
        if error.code() == KafkaError._AUTHENTICATION:
            return f"the login is refused: {error_text(error)}"
        found = self._certificate_problem(error.str()) if "certificate verify failed" in error.str() else ""
        return f"{found}: {error_text(error)}" if found else error_text(error)

    def _certificate_problem(self, message: str) -> str:
        """Connect to the broker and describe what is wrong with its certificate. librdkafka does not."""
        broker = _BROKER.search(message)
        if broker is None:
            return ""
        at, found = self._certificate_problems.get(broker[0], (-RECENT_SECONDS, ""))
        if monotonic() - at >= RECENT_SECONDS:
            found = self._verify_certificate(broker[1].strip("[]"), int(broker[2]))
            self._certificate_problems[broker[0]] = (monotonic(), found)
        return found

    def _verify_certificate(self, host: str, port: int) -> str:
        location, pem = (self.properties.get(name) for name in _AUTHORITIES)
        try:
            context = ssl.create_default_context(cafile=location, cadata=pem)
            with socket.create_connection((host, port), _PROBE_SECONDS) as connection:
                context.wrap_socket(connection, server_hostname=host).close()
        except ssl.SSLCertVerificationError as error:
            return f"the certificate of {host}:{port} {certificate_problem(error, authorities=_AUTHORITIES[0])}"
        except OSError:
            return ""  # another problem, which librdkafka has described
        return ""


def tls_mismatch(settings: KafkaSettings) -> str:
    """Describe a broker that requires TLS if the settings do not use it. Takes at most a second."""
    protocol = settings.properties.get("security.protocol", "plaintext")
    if protocol.lower().endswith("ssl"):
        return ""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    deadline = monotonic() + 1.0
    for server in settings.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection(
                (host.strip("[]"), int(port)), max(0.1, deadline - monotonic())
            ) as connection:
                unverified.wrap_socket(connection).close()
        except (OSError, ValueError):
            continue
        return f"{server.strip()} speaks TLS, and security.protocol is {protocol}"
    return ""


def error_text(error: KafkaException | KafkaError) -> str:
    """Return the message of ``error`` and the name of its code."""
    if isinstance(error, KafkaException):
        error = error.args[0]
        if not isinstance(error, KafkaError):
            return str(error)
    return f"{error.str()} ({error.name()})"
