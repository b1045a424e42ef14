"""Whether the mail server lets us in, and why not where it does not."""

from time import monotonic

from aiosmtplib import SMTP, SMTPException
from attrs import field, frozen

from ...application.health.facts import ConnectionFailure, MailFacts
from .smtp_errors import cause, said


@frozen
class SmtpHealth:
    """``client`` is one of its own, which nothing is sent by."""

    client: SMTP = field(repr=False)

    async def look(self) -> MailFacts | ConnectionFailure:
        began = monotonic()
        try:
            async with self.client:
                return MailFacts(took=monotonic() - began)
        except (SMTPException, OSError) as failure:
            return ConnectionFailure(cause(failure), said(failure))
