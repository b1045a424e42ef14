"""Checks whether the mail server accepts a connection and the login."""

from aiosmtplib import SMTP, SMTPException
from attrs import field, frozen

from ...application.health.facts import ConnectionFailure
from .smtp_errors import error_text, failure_reason


@frozen
class SmtpHealth:
    """Connects to the mail server. ``client`` is used for nothing else."""

    client: SMTP = field(repr=False)

    async def failure(self) -> ConnectionFailure | None:
        try:
            async with self.client:
                return None
        except (SMTPException, OSError) as failure:
            return ConnectionFailure(failure_reason(failure), error_text(failure))
