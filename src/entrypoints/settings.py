"""The settings of a process: names, defaults, and allowed values."""

import re
from typing import Any

import typed_settings as ts
from attrs import fields, frozen
from attrs import validators as v

from ..application.event_log.records import EVENT_LIMIT, RELAY
from ..application.notifications.addresses import sender
from ..application.notifications.notification import ATTEMPTS
from ..application.relay.publish_pending import BATCH
from ..application.webhooks.endpoint import WEBHOOKS
from ..domain.actor import Role
from ..domain.consent import RestaurantOrders
from ..domain.currency import MINOR_UNITS
from ..domain.errors import InvalidInput
from ..domain.text import MAX_IDENTIFIER
from .secret_settings import MASK, is_secret, masked_url
from .url_checks import (
    check_database_url,
    check_host,
    check_http_setting,
    check_kafka_servers,
    check_listen_url,
    check_origins,
    check_protected_url,
    check_redis_url,
)

CONSUMERS = ("notifications", "analytics", "inventory")
"""The names of the built-in consumers that every installation runs."""
BUILT_IN = (*CONSUMERS, WEBHOOKS)
"""The names of all built-in consumers. Webhooks has nothing to do until an endpoint is added."""

RESERVED_NAMES = (*BUILT_IN, RELAY, "api", "copying", "direct", "embedding", "housekeeping", "sending")
"""Names that no consumer of one's own may have, because parts of a process are called so."""

MAX_WORKERS = 64

SECRETS = ("smtp_password", "http_tls_key_password", "stripe_api_key", "stripe_webhook_secret")
"""Settings that are never shown."""
LOCAL_SENDER = "orders@localhost"
TOPIC = r"(?!\.\.?\Z)[A-Za-z0-9._-]{1,249}"
"""The names that a topic may have: https://kafka.apache.org/documentation/#topicconfigs, and neither '.' nor '..'."""


_PART = re.compile(r"[A-Za-z_][\w.-]*(:[A-Za-z_][\w.]*)?\Z", re.ASCII)
"""The names of a part in a setting: a plain name, or MODULE:ATTRIBUTE."""
_STRIPE_KEY = re.compile(r"((sk|rk)_[!-~]+)?\Z")
_STRIPE_SECRETS = re.compile(r"(whsec_[!-+\--~]+(,whsec_[!-+\--~]+)*)?\Z")
MAX_PARTS = 20
MAX_PART_NAME = 200


def _part(_: object, __: object, value: str) -> None:
    if value and (len(value) > MAX_PART_NAME or not _PART.match(value)):
        raise ValueError("neither a name nor MODULE:ATTRIBUTE")


_CONSUMER = re.compile(r"([A-Za-z_][\w.-]{0,63}=)?[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z|[A-Za-z_][\w.-]{0,63}\Z", re.ASCII)


def consumer_name(listed: str) -> str:
    """Return the name of a consumer as ``consumers`` lists it; of a MODULE:FUNCTION without one, that with a dot."""
    name, given, path = listed.rpartition("=")
    return name if given else path.replace(":", ".")[-MAX_IDENTIFIER:].lstrip(".")


def _consumers(_: object, __: object, value: tuple[str, ...]) -> None:
    names = [consumer_name(listed) for listed in value]
    if len(value) > MAX_PARTS or len(set(names)) != len(names) or set(names) & set(RESERVED_NAMES):
        raise ValueError("too many consumers, a name twice, or one that is taken")
    for listed in value:
        if len(listed) > MAX_PART_NAME or not _CONSUMER.match(listed):
            raise ValueError("no consumer")


def _channels(_: object, __: object, value: tuple[str, ...]) -> None:
    if not 1 <= len(set(value)) == len(value) <= MAX_PARTS:
        raise ValueError("no channel, too many, or one of them twice")
    for name in value:
        _part(_, __, name or "-")


def _sender(_: object, __: object, value: str) -> None:
    if value == LOCAL_SENDER:
        return
    try:
        sender(value, field="smtp_sender")
    except InvalidInput as e:
        raise ValueError(e.problem) from e


def _roles(_: object, __: object, value: tuple[str, ...]) -> None:
    for pair in value:
        name, _separator, role = pair.partition("=")
        if not name or role not in tuple(Role):
            raise ValueError("not NAME=ROLE")


def _stripe_key(_: object, __: object, value: str) -> None:
    if not _STRIPE_KEY.match(value):
        raise ValueError("not of the form that is allowed")  # without the value, which attrs would show


def _stripe_secrets(_: object, __: object, value: str) -> None:
    if not _STRIPE_SECRETS.match(value):
        raise ValueError("not of the form that is allowed")


def _between(low: float, high: float) -> list[Any]:
    return [v.ge(low), v.le(high)]


@frozen(kw_only=True)
class Settings:
    """The settings of one process. The help of each names the allowed values and the unit."""

    database_url: str = ts.option(
        default="sqlite:///orderflow.db",
        validator=check_database_url,
        help="postgresql://user:password@host:port/name, sqlite:///file or memory://; of a password, "
        "# / ? @ and the like are percent-encoded (%23 %2F %3F %40)",
    )
    database_pool_size: int = ts.option(default=10, validator=_between(1, 1000), help="connections, 1 to 1000")
    database_pooler: str = ts.option(
        default="none",
        validator=v.in_(("none", "transaction")),
        help="none, or transaction: connections go through PgBouncer or the like in transaction mode",
    )
    database_listen: str = ts.option(
        default="auto",
        validator=v.in_(("auto", "off")),
        help="auto: processes notify each other of commits through PostgreSQL; off: they poll for them",
    )
    database_listen_url: str = ts.option(
        default="",
        validator=check_listen_url,
        help="postgresql://... for commit notifications past a pooler; empty: database_url, or none behind a pooler",
    )
    kafka_bootstrap_servers: str = ts.option(
        default="",
        validator=check_kafka_servers,
        help="host:port, comma separated; empty: no Kafka, consumers read the log",
    )
    topic: str = ts.option(
        default="order-events",
        validator=v.matches_re(TOPIC),
        help="a Kafka topic name: A to Z, a to z, digits, '.', '_', '-', at most 249",
    )
    topic_partitions: int = ts.option(default=3, validator=_between(1, 256), help="partitions, 1 to 256")
    topic_replication: int = ts.option(default=1, validator=_between(1, 32), help="copies of each partition, 1 to 32")
    topic_retention_hours: int = ts.option(
        default=-1, validator=v.ge(-1), help="hours that the topic keeps events; -1: unlimited"
    )
    publishing: str = ts.option(
        default="log",
        validator=v.in_(("log", "direct")),
        help="log: by the relay, exactly once; direct: to Kafka after the commit, lost if Kafka fails",
    )
    event_max_bytes: int = ts.option(
        default=EVENT_LIMIT,
        validator=_between(1000, 100_000_000),
        help="bytes of an event, 1000 to 100000000; the topic's max.message.bytes must be 50000 more",
    )
    event_source: str = ts.option(
        default="/orderflow",
        validator=v.matches_re(r"[!-~]{1,200}"),  # readers accept no longer header, and no empty one
        help="ce_source of every event: a URI reference",
    )
    currency: str = ts.option(
        default="USD",
        validator=v.in_(MINOR_UNITS),
        help="currency of orders that name none: an ISO 4217 code, such as EUR",
    )
    estimate_minutes: int = ts.option(
        default=30, validator=_between(1, 1440), help="expected minutes from pick-up to delivery, 1 to 1440"
    )
    payment_gateway: str = ts.option(
        default="",
        validator=_part,
        help="the payment gateway that charges cards: stripe, sandbox, which moves no money, none, or one of your own "
        "by entry point or as MODULE:ATTRIBUTE; empty: the sandbox, but none in production: with Kafka or PostgreSQL, "
        "or where the API listens beyond loopback",
    )
    stripe_api_key: str = ts.secret(
        default="",
        validator=_stripe_key,
        help="a secret or restricted key of Stripe: sk_... or rk_...",
    )
    stripe_webhook_secret: str = ts.secret(
        default="",
        validator=_stripe_secrets,
        help="whsec_... of Stripe's events to /v1/webhooks/stripe; two, comma separated, while one is rotated; "
        "empty: no events",
    )
    stripe_api_url: str = ts.option(
        default="",
        validator=check_protected_url,
        help="https://... to use instead of Stripe's own address; empty: Stripe",
    )
    available_orders: str = ts.option(
        default="none",
        validator=v.in_(("none", "all")),
        help="orders without a shipper that shippers may list, without their addresses: none or all",
    )
    prices: str = ts.option(
        default="trust",
        validator=[v.min_len(1), _part],
        help="trust: the caller who places an order sets its prices; list: they are those of the restaurant's price "
        "list; or a price authority of your own by entry point or as MODULE:ATTRIBUTE",
    )
    restaurant_orders: str = ts.option(
        default=RestaurantOrders.NONE.value,
        validator=v.in_(tuple(RestaurantOrders)),
        help="what restaurants may do without their customers: none; cash: place orders that are paid in cash; "
        "all: also by card, and charge cards",
    )
    phone_region: str = ts.option(
        default="",
        validator=v.matches_re(r"([A-Z]{2})?"),
        help="country of telephone numbers without a code, to find orders by: ISO 3166, such as US; empty: none",
    )
    http_host: str = ts.option(
        default="127.0.0.1",
        validator=check_host,
        help="address to listen on",
    )
    http_dev: bool = ts.option(
        default=False,
        validator=v.instance_of(bool),
        help="true or false; true is for development: programs of this machine name themselves in X-Actor, "
        "without a token, and http_host must be a loopback address",
    )
    http_port: int = ts.option(default=8080, validator=_between(0, 65535), help="port, 0 (any free) to 65535")
    http_workers: int = ts.option(
        default=1,
        validator=_between(1, MAX_WORKERS),
        help=f"processes of the API behind the port, 1 to {MAX_WORKERS}; more than one need PostgreSQL",
    )
    http_max_body_bytes: int = ts.option(
        default=1_000_000, validator=_between(1000, 100_000_000), help="bytes, 1000 to 100000000"
    )
    http_max_connections: int = ts.option(
        default=800,
        validator=_between(1, 100_000),
        help="connections at once, 1 to 100000; fewer than the process may have open files",
    )
    http_max_connections_per_address: int = ts.option(
        default=400,
        validator=_between(1, 100_000),
        help="connections at once of one address, 1 to 100000; behind a proxy, the same as http_max_connections",
    )
    http_requests_per_second: int = ts.option(
        default=500, validator=_between(1, 100_000), help="requests a second of one caller, 1 to 100000"
    )
    http_max_requests_per_caller: int = ts.option(
        default=100, validator=_between(1, 100_000), help="requests at once of one caller, 1 to 100000"
    )
    http_max_streams_per_caller: int = ts.option(
        default=50, validator=_between(1, 100_000), help="live streams at once of one caller, 1 to 100000"
    )
    http_limits_url: str = ts.option(
        default="",
        validator=check_redis_url,
        help="redis://host:port/number or rediss://... where processes count the requests a second of a caller "
        "together; empty: each process counts for itself",
    )
    http_read_seconds: float = ts.option(
        default=20.0,
        validator=_between(0.1, 3600),
        help="seconds in which a request's headers, and then its body, must arrive, 0.1 to 3600",
    )
    http_write_seconds: float = ts.option(
        default=30.0,
        validator=_between(0.1, 3600),
        help="seconds that a response may wait for a client that does not read it, 0.1 to 3600",
    )
    http_tls_certificate: str = ts.option(
        default="",
        help="PEM file of the API's certificate, followed by those between it and its authority; empty: no TLS",
    )
    http_tls_key: str = ts.option(
        default="", help="PEM file of its private key; empty: the file of the certificate has it"
    )
    http_tls_key_password: str = ts.secret(default="", help="password of its private key; empty: it has none")
    http_tls_client_ca: str = ts.option(
        default="",
        help="PEM file of the authorities whose certificates clients must have; empty: clients need none",
    )
    http_cors_origins: tuple[str, ...] = ts.option(
        default=(),
        validator=check_origins,
        help="origins whose pages may call the API, as https://HOST or https://HOST:PORT, comma separated; empty: none",
    )
    oidc_issuer: str = ts.option(
        default="",
        validator=check_protected_url,
        help="https://... issuer of an OpenID provider whose tokens callers may bring; empty: none",
    )
    oidc_audience: str = ts.option(default="", help="the audience that its tokens must name: this API at the provider")
    oidc_jwks_url: str = ts.option(
        default="", validator=check_protected_url, help="https://... of its key set; empty: where its discovery says"
    )
    oidc_role_claim: str = ts.option(
        default="role", validator=v.matches_re(r"[!-~]+"), help="the claim with the role; with dots, one within another"
    )
    oidc_id_claim: str = ts.option(
        default="sub", validator=v.matches_re(r"[!-~]+"), help="the claim with the id within the role"
    )
    oidc_roles: tuple[str, ...] = ts.option(
        default=(),
        validator=_roles,
        help="names of roles in that claim, as NAME=ROLE, comma separated; empty: customer, restaurant, shipper, admin",
    )
    ops_host: str = ts.option(
        default="127.0.0.1",
        validator=check_host,
        help="address of every process's /livez, /readyz and /metrics, which need no token",
    )
    ops_port: int = ts.option(default=0, validator=_between(0, 65535), help="their port, 0 (any free) to 65535")
    commit_group: int = ts.option(
        default=256, validator=_between(1, 1000), help="write sets that one transaction commits at most, 1 to 1000"
    )
    commit_queue: int = ts.option(
        default=4096, validator=_between(1, 100_000), help="write sets that wait for a commit at most, 1 to 100000"
    )
    relay_batch: int = ts.option(default=BATCH, validator=_between(1, 50_000), help="events a transaction, 1 to 50000")
    consumer_batch: int = ts.option(default=500, validator=_between(1, 10_000), help="events a batch, 1 to 10000")
    consumers: tuple[str, ...] = ts.option(
        default=(),
        validator=_consumers,
        help="consumers of your own as NAME=MODULE:FUNCTION, MODULE:FUNCTION or by entry point, comma separated, at "
        "most 20; each name once, and none of a shipped part's",
    )
    consumer_attempts: int = ts.option(
        default=3, validator=_between(1, 100), help="attempts before an order is parked, 1 to 100"
    )
    dead_letter_topic: str = ts.option(
        default="",
        validator=v.matches_re(f"({TOPIC})?"),
        help="a Kafka topic for copies of parked events, such as dlq.order-events; empty: none",
    )
    poll_seconds: float = ts.option(
        default=0.25, validator=_between(0.01, 60), help="seconds between two polls of the log, 0.01 to 60"
    )
    notification_channels: tuple[str, ...] = ts.option(
        default=("log",),
        validator=_channels,
        help="email, log, and channels of your own by entry point or as MODULE:ATTRIBUTE, comma separated, at most 20",
    )
    notification_templates: str = ts.option(
        default="",
        validator=_part,
        help="templates of your own for messages, by entry point or as MODULE:ATTRIBUTE; empty: the shipped ones",
    )
    notification_attempts: int = ts.option(
        default=ATTEMPTS, validator=_between(1, 100_000), help="attempts before a notification has failed, 1 to 100000"
    )
    smtp_host: str = ts.option(default="localhost", validator=check_host, help="host name of the mail server")
    smtp_port: int = ts.option(default=25, validator=_between(1, 65535), help="port, 1 to 65535")
    smtp_sender: str = ts.option(
        default=LOCAL_SENDER, validator=_sender, help="sender of mail: NAME@HOST, or Name <NAME@HOST>"
    )
    smtp_username: str = ts.option(default="", help="user at the mail server; empty: no login")
    smtp_password: str = ts.secret(default="", help="password at the mail server")
    smtp_security: str = ts.option(
        default="none",
        validator=v.in_(("none", "starttls", "tls")),
        help="none; starttls: encrypted before the login (port 587); tls: encrypted from the start (port 465)",
    )
    smtp_ca_file: str = ts.option(
        default="", help="PEM file of the certificate authorities that are trusted; empty: the system's"
    )
    webhook_private_addresses: bool = ts.option(
        default=False,
        validator=v.instance_of(bool),
        help="true or false; true: webhooks may go to private and loopback addresses, and over http",
    )
    webhook_timeout_seconds: float = ts.option(
        default=15.0,
        validator=_between(0.1, 60),
        help="seconds that one attempt to send a webhook may take, 0.1 to 60",
    )
    webhook_concurrency: int = ts.option(
        default=8, validator=_between(1, 100), help="webhooks on their way to one endpoint at once, 1 to 100"
    )
    webhook_retry_hours: int = ts.option(
        default=72,
        validator=_between(1, 720),
        help="hours for which a webhook is tried again, and after which a dead endpoint is disabled, 1 to 720",
    )
    webhook_retention_days: int = ts.option(
        default=7, validator=_between(1, 365), help="days for which deliveries that ended are kept, 1 to 365"
    )
    webhook_proxy_url: str = ts.option(
        default="",
        validator=check_http_setting,
        help="http://host:port of a proxy for webhooks, which then decides what they may reach; empty: none",
    )
    webhook_ca_file: str = ts.option(
        default="",
        help="PEM file of the certificate authorities that are trusted for webhooks; empty: the system's",
    )
    log_level: str = ts.option(
        default="auto",
        validator=v.in_(("auto", "debug", "info", "warning", "error")),
        help="debug, info, warning, error, or auto: info, but warning for commands on a terminal",
    )
    log_format: str = ts.option(
        default="auto", validator=v.in_(("auto", "json", "console")), help="json, console, or auto (by terminal)"
    )
    idempotency_hours: int = ts.option(
        default=24,
        validator=_between(1, 720),
        help="hours for which the response under an idempotency key is kept, 1 to 720",
    )
    retention_address_days: int = ts.option(
        default=0,
        validator=_between(0, 36_500),
        help="days after its end for which an order's address and card token are kept; 0: for ever",
    )
    retention_notification_days: int = ts.option(
        default=0,
        validator=_between(0, 36_500),
        help="days for which addresses and texts of notifications are kept; 0: for ever",
    )
    retention_unrecognized_days: int = ts.option(
        default=0,
        validator=_between(0, 36_500),
        help="days for which records of the topic that are no events are kept; 0: for ever",
    )
    stop_seconds: float = ts.option(
        default=20.0,
        validator=_between(1, 3600),
        help="seconds after SIGTERM in which a process shuts down; then it is cut off and exits with 1; 1 to 3600",
    )
    stop_grace_seconds: float = ts.option(
        default=3.0,
        validator=_between(0, 600),
        help="seconds of these in which the API still accepts requests while /readyz fails, 0 to 600",
    )
    service_name: str = ts.option(
        default="orderflow",
        validator=v.matches_re(r"[!-~]{1,64}"),
        help="name of this service in traces, 1 to 64 characters without spaces",
    )
    tracing_endpoint: str = ts.option(
        default="",
        validator=check_http_setting,
        help="URL for spans, OTLP over HTTP: http://host:4318/v1/traces; empty: no tracing",
    )
    tracing_sample_ratio: float = ts.option(
        default=1.0, validator=_between(0, 1), help="share of the traces begun here that is recorded, 0 to 1"
    )
    kafka: dict[str, str] = ts.option(factory=dict, help="librdkafka properties")

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in described(self).items())})"

    @property
    def uses_kafka(self) -> bool:
        """True if Kafka is configured."""
        return bool(self.kafka_bootstrap_servers)

    @property
    def pooled(self) -> bool:
        """True if the database is behind a pooler in transaction mode."""
        return self.database_pooler == "transaction"

    @property
    def in_production(self) -> bool:
        """True if this is more than a trial: with Kafka or PostgreSQL, or where other machines reach the API."""
        return self.uses_kafka or self.database_url.startswith("postgresql:") or not self.on_loopback

    @property
    def gateway_name(self) -> str:
        """The name of the payment gateway that is used. The sandbox is used in production only if it is named."""
        return self.payment_gateway or ("none" if self.in_production else "sandbox")

    @property
    def http_scheme(self) -> str:
        """``https`` if the API has a certificate, else ``http``."""
        return "https" if self.http_tls_certificate else "http"

    @property
    def on_loopback(self) -> bool:
        """True if the HTTP API listens on loopback only."""
        return self.http_host in ("127.0.0.1", "::1", "localhost")


def described(settings: Settings) -> dict[str, object]:
    """Return every setting by name, with secrets masked, also passwords inside URLs."""
    shown: dict[str, object] = {}
    for a in fields(Settings):
        value = getattr(settings, a.name)
        if a.name in SECRETS:
            value = MASK if value else ""
        elif isinstance(value, str) and ("@" in value or "?" in value):
            value = masked_url(value)
        elif isinstance(value, tuple):
            value = ",".join(value)
        elif a.name == "kafka":
            value = {key: MASK if is_secret(key) else text for key, text in value.items()}
        shown[a.name] = value
    return shown | {"payment_gateway": settings.gateway_name}
