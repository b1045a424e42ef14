"""Checks of the URLs in settings. Each raises ValueError."""

import re
from urllib.parse import urlsplit

from .secret_settings import is_well_formed

_SQLITE = re.compile(r"sqlite:///(?!/?\Z|:memory:\Z)(?!.*%00)[^?]+\Z")
"""A file, without parameters: SQLAlchemy would ignore some of them. No file has a NUL in its name."""
_KAFKA_SERVER = re.compile(r"(?:[A-Z_]+://)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?\Z")


def check_database_url(_: object, __: object, value: str) -> None:
    if not (value == "memory://" or value.startswith("postgresql://") or _SQLITE.match(value)):
        raise ValueError("not a database URL")
    _check_postgresql_url(value)


def check_host(_: object, __: object, value: str) -> None:
    """Raise ValueError for what is no name or address of a host, such as an empty one, which would be all addresses."""
    _check_host(value)


def _check_host(value: str) -> None:
    if not re.match(r"[A-Za-z0-9._:%-]+\Z", value):
        raise ValueError("not a host")
    value.encode("idna")  # UnicodeError is a ValueError


def _check_url(value: str, *schemes: str) -> None:
    """Raise ValueError unless ``value`` is empty, or a URL of one of ``schemes`` with a possible host."""
    if not value:
        return
    if not (re.match(r"[a-z]+://[!-~]+\Z", value) and value.startswith(schemes) and is_well_formed(value)):
        raise ValueError("not a URL")
    _check_host(urlsplit(value).hostname or "")


def check_http_url(value: str) -> None:
    _check_url(value, "http:", "https:")


def check_http_setting(_: object, __: object, value: str) -> None:
    check_http_url(value)


def check_redis_url(_: object, __: object, value: str) -> None:
    _check_url(value, "redis:", "rediss:")


def check_listen_url(_: object, __: object, value: str) -> None:
    if value and not value.startswith("postgresql://"):
        raise ValueError("not a PostgreSQL URL")
    _check_postgresql_url(value)


def _check_postgresql_url(value: str) -> None:
    """Raise ValueError for a URL whose parts are not what they look like, as with a '#' in a password."""
    if value.startswith("postgresql://") and not is_well_formed(value):
        raise ValueError("not a PostgreSQL URL")


def check_protected_url(_: object, __: object, value: str) -> None:
    """Raise ValueError for a URL whose answer could be changed on the network."""
    loopback = re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])[:/]", value + "/")
    if value and not (re.match(r"https://[!-~]+\Z", value) or (loopback and value.isascii() and value.isprintable())):
        raise ValueError("not a URL with https")
    if value:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port  # urllib raises ValueError for a port above 65535
        _check_host(host)


def check_kafka_servers(_: object, __: object, value: str) -> None:
    """Raise ValueError for a list with another thing than a host, or without any; Kafka's client passes those over.

    A listener's protocol may precede a host. Of a port above 65535 the client would use another one.
    """
    servers = [server.strip() for server in value.split(",") if server.strip()]
    if value and not servers:
        raise ValueError("no server")
    for server in servers:
        parts = _KAFKA_SERVER.match(server)
        if parts is None or int(parts[1] or 0) > 65535:
            raise ValueError("not HOST:PORT")


def check_origins(_: object, __: object, value: tuple[str, ...]) -> None:
    """Raise ValueError for what no browser sends as Origin: with a path, a default port or a wildcard."""
    for origin in value:
        parts = re.match(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?\Z", origin)
        if parts is None or parts[3] == {"http": ":80", "https": ":443"}[parts[1]]:
            raise ValueError("not an origin")
