"""Log lines of every process: one JSON object a line, or readable on a terminal; talk goes to standard error."""

import logging
import sys
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import structlog

from ..adapters.telemetry.logs.formatter import SHARED, LineFormatter
from .settings import Settings, is_secret

SHORTEST_SECRET = 4
"""Characters; what is shorter turns up in every second word."""
_ONLY_TROUBLE = ("aiosqlite", "aiosmtplib", "asyncio", "httpcore", "httpx", "opentelemetry", "urllib3")
"""Libraries that are listened to from warnings on: what they say below is theirs, or shows what is sent."""
_STEPS = "Running"
"""The prefix of the only lines of alembic that carry information."""


def configure_logs(settings: Settings) -> None:
    """Give structlog and the standard library's loggers the one format that ``settings`` ask for."""
    readable = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(readable=readable, secrets=frozenset(secrets_of(settings))))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _ONLY_TROUBLE:
        logging.getLogger(name).setLevel(logging.WARNING)
    alembic = logging.getLogger("alembic.runtime.migration")
    alembic.filters[:] = [lambda record: record.getMessage().startswith(_STEPS)]
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def secrets_of(settings: Settings) -> Iterator[str]:
    """Everything in ``settings`` that nobody is to read, as it stands there and as it is meant."""
    password = urlsplit(settings.database_url).password or ""
    for secret in (
        password,
        unquote(password),
        settings.smtp_password,
        *(value for name, value in settings.kafka.items() if is_secret(name)),
    ):
        if len(secret) >= SHORTEST_SECRET:
            yield secret
