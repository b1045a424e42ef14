"""What the container builds of the ways to people: the channels of notifications, and the look at the mail server."""

import logging
from collections.abc import Callable
from datetime import datetime
from ssl import SSLContext, create_default_context
from typing import TYPE_CHECKING, Any

import structlog

from ...adapters.notifications.log import LogChannel
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics.instrumented import InstrumentedNotifier
from ...domain.errors import InvalidInput, NotConfigured
from ..settings import Settings

if TYPE_CHECKING:
    from aiosmtplib import SMTP

_PROMPTLY = 3.0
"""Seconds; less than a look has, so that it hears why."""


def channels(settings: Settings, clock: Callable[[], datetime]) -> list[Any]:
    """Raises NotConfigured without email's extra, InvalidInput for a file of authorities that cannot be read."""
    channels: list[Any] = []
    for name in settings.notification_channels:
        channels.append(_email(settings, clock) if name == "email" else LogChannel(_notices()))
    return channels


def watched_channels(channels: list[Any], instruments: Instruments) -> list[InstrumentedNotifier]:
    return [InstrumentedNotifier(channel, instruments) for channel in channels]


def watch(settings: Settings, *, patience: float = _PROMPTLY) -> Any:
    """Who looks whether the mail server lets us in; nobody where no mail is sent. Raises as ``channels``."""
    if "email" not in settings.notification_channels:
        return None
    client = _client(settings, patience)
    from ...adapters.notifications.smtp_health import SmtpHealth

    return SmtpHealth(client)


def _notices() -> Any:
    """The standard library's logger ``orderflow.notify``: the application around us decides what is shown of it."""
    return structlog.wrap_logger(
        logging.getLogger("orderflow.notify"),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _email(settings: Settings, clock: Callable[[], datetime]) -> Any:
    client = _client(settings)
    from ...adapters.notifications.email import EmailChannel

    return EmailChannel(client=client, sender=settings.smtp_sender, clock=clock)


def _client(settings: Settings, timeout: float = 60.0) -> "SMTP":
    """It connects when it is asked to; ``timeout`` bounds, in seconds, each answer of the server."""
    try:
        from aiosmtplib import SMTP
    except ModuleNotFoundError as e:
        raise NotConfigured("email needs aiosmtplib", "pip install 'orderflow-service[email]'") from e
    security = settings.smtp_security
    return SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username or None,
        password=settings.smtp_password or None,
        timeout=timeout,
        use_tls=security == "tls",
        start_tls=security == "starttls",
        tls_context=None if security == "none" else _authorities(settings.smtp_ca_file),
    )


def _authorities(file: str) -> SSLContext:
    """Trusts those of ``file`` and no others; the system's where none is named."""
    try:
        return create_default_context(cafile=file or None)
    except OSError as error:  # ssl's own errors are such, too
        raise InvalidInput(
            "ORDERFLOW_SMTP_CA_FILE", f"{file!r} holds no certificates: {error}", "a PEM file of authorities"
        ) from error
