"""The notification channels and templates that the container builds, and the health probe of the mail server."""

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from structlog.typing import FilteringBoundLogger

from ...adapters.certificates import trusting
from ...adapters.notifications.log import LogChannel
from ...adapters.notifications.templates import FileMessageTemplates
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.instrumented import InstrumentedNotifier
from ...application.clock import Clock
from ...application.notifications import addresses
from ...application.notifications.ports import MessageTemplates, Notifier
from ...domain.errors import InvalidInput, NotConfigured
from ...domain.text import shown
from ..settings import Settings
from .parts import PartKind, check_given, make_part

if TYPE_CHECKING:
    from aiosmtplib import SMTP

    from ...adapters.notifications.email import EmailChannel
    from ...adapters.notifications.smtp_health import SmtpHealth

_PROMPTLY = 3.0
"""Seconds; shorter than the time that an observation has, so that it learns the reason."""


CHANNEL = PartKind(
    setting="ORDERFLOW_NOTIFICATION_CHANNELS",
    what="notification channel",
    port=Notifier,
    group="orderflow.channels",
    shipped=("email", "log"),
)
TEMPLATES = PartKind(
    setting="ORDERFLOW_NOTIFICATION_TEMPLATES",
    what="message templates",
    port=MessageTemplates,
    group="orderflow.templates",
)
_CHANNEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")


def channels(settings: Settings, clock: Clock) -> list[Notifier]:
    """Return the channels of the settings.

    Raises NotConfigured without the extra ``email``, InvalidInput for a file of authorities that cannot be read, and
    for a channel that is unknown or cannot be made.
    """
    return checked_channels([_channel(name, settings, clock) for name in settings.notification_channels])


def checked_channels(channels: Sequence[Notifier]) -> list[Notifier]:
    """Return ``channels`` if each has a name of its own. Raises InvalidInput."""
    names = [channel.name for channel in channels]
    for name in names:
        if not isinstance(name, str) or not _CHANNEL_NAME.match(name):
            raise InvalidInput(
                CHANNEL.setting, f"a channel has the name {shown(name)}", "a lower-case word of 1 to 32 characters"
            )
        if names.count(name) > 1:
            raise InvalidInput(CHANNEL.setting, f"two channels have the name {name}", "a different name for each")
    return list(channels)


def given_channels(channels: object) -> list[Notifier]:
    """Return the channels that an application gives. Raises InvalidInput."""
    if isinstance(channels, str) or not isinstance(channels, Sequence):
        raise InvalidInput("channels", f"it is a {type(channels).__name__}", "a list of notification channels")
    for channel in channels:
        check_given(channel, CHANNEL, "channels")
    return checked_channels(channels)


def templates(settings: Settings) -> MessageTemplates:
    """Return the templates of the settings, or the shipped ones. Raises InvalidInput."""
    if not settings.notification_templates:
        return FileMessageTemplates()
    own: MessageTemplates = make_part(TEMPLATES, settings.notification_templates)
    return own


def instrumented_channels(channels: Sequence[Notifier], instruments: Instruments) -> list[InstrumentedNotifier]:
    """Return ``channels``, counted."""
    return [InstrumentedNotifier(channel, instruments) for channel in channels]


def smtp_health(settings: Settings, *, patience: float = _PROMPTLY) -> "SmtpHealth | None":
    """Return the probe of the mail server; None if no mail is sent. Raises as ``channels``."""
    if "email" not in settings.notification_channels:
        return None
    client = _client(settings, patience)
    from ...adapters.notifications.smtp_health import SmtpHealth

    return SmtpHealth(client)


def _channel(name: str, settings: Settings, clock: Clock) -> Notifier:
    if name == "email":
        return _email(settings, clock)
    if name == "log":
        return LogChannel(_logger())
    own: Notifier = make_part(CHANNEL, name)
    return own


def _logger() -> FilteringBoundLogger:
    """Return the standard library's logger ``orderflow.notify``: the application decides what is shown of it."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger("orderflow.notify"),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def _email(settings: Settings, clock: Clock) -> "EmailChannel":
    client = _client(settings)
    from ...adapters.notifications.email import EmailChannel

    sender = addresses.sender(settings.smtp_sender, field="ORDERFLOW_SMTP_SENDER")
    return EmailChannel(client=client, sender=sender, clock=clock)


def _client(settings: Settings, timeout: float = 60.0) -> "SMTP":
    """Return a client that is not connected yet; each response of the server may take ``timeout`` seconds."""
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
        tls_context=None if security == "none" else trusting(settings.smtp_ca_file, setting="ORDERFLOW_SMTP_CA_FILE"),
    )
