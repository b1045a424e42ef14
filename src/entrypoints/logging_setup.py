"""Configures the log of every process: JSON lines, or readable text on a terminal, on standard error."""

import logging
import sys
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import structlog

from ..adapters.telemetry.logs.formatter import SHARED, LineFormatter
from ..application.audit import keep_audit
from .secret_settings import is_secret
from .settings import SECRETS, Settings

MIN_SECRET = 4
"""Characters. Shorter secrets are not redacted, because they are parts of ordinary words."""
_ONLY_WARNINGS = (
    "aiosqlite",
    "aiosmtplib",
    "alembic.runtime.plugins",
    "asyncio",
    "httpcore",
    "httpx",
    "opentelemetry",
    "urllib3",
)
"""Libraries of which only warnings are logged: their other lines are details, or show what is sent."""
_MIGRATION = "Running"
"""The beginning of alembic's lines about migrations. Its other lines are dropped."""


def configure_logs(settings: Settings, *, process: bool = True) -> None:
    """Set the level and format in ``settings`` for structlog and the standard library's loggers.

    ``process`` is False for a command that ends by itself: on a terminal its result is what counts.
    """
    readable = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(readable=readable, secrets=frozenset(secrets_of(settings))))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    automatic = "info" if process or not sys.stderr.isatty() else "warning"
    root.setLevel((automatic if settings.log_level == "auto" else settings.log_level).upper())
    keep_audit()
    for name in _ONLY_WARNINGS:
        logging.getLogger(name).setLevel(logging.WARNING)
    alembic = logging.getLogger("alembic.runtime.migration")
    alembic.filters[:] = [lambda record: record.getMessage().startswith(_MIGRATION)]
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def secrets_of(settings: Settings) -> Iterator[str]:
    """Yield the secrets in ``settings``, also as they are decoded from a URL."""
    urls = (settings.database_url, settings.database_listen_url, settings.tracing_endpoint)
    passwords = [urlsplit(url).password or "" for url in urls]
    for secret in (
        *passwords,
        *map(unquote, passwords),
        *(getattr(settings, name) for name in SECRETS),
        *settings.stripe_webhook_secret.split(","),
        *(value for name, value in settings.kafka.items() if is_secret(name)),
    ):
        if len(secret) >= MIN_SECRET:
            yield secret
