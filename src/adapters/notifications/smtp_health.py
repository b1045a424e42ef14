"""Checks whether the mail server accepts a connection and the login."""

from time import monotonic

from aiosmtplib import SMTP, SMTPException
from attrs import field, frozen

from ...application.health.facts import ConnectionFailure, MailFacts
from .smtp_errors import error_text, failure_reason


@frozen
class SmtpHealth:
    """Connects to the mail server. ``client`` is used for nothing else."""

    client: SMTP = field(repr=False)

    async def facts(self) -> MailFacts | ConnectionFailure:
        began = monotonic()
        try:
            async with self.client:
                return MailFacts(took=monotonic() - began)
        except (SMTPException, OSError) as failure:
            return ConnectionFailure(failure_reason(failure), error_text(failure))
