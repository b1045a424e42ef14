"""Email over SMTP."""

import asyncio
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused
from attrs import field, frozen

from ...application.clock import Clock
from ...application.notifications.notification import Contact, Message, Receipt
from ...domain.errors import ChannelUnavailable
from .smtp_errors import said

_PERMANENT = range(500, 600)
"""RFC 5321, 4.2.1: a 5yz reply refuses for good; 4yz may be tried again."""


@frozen
class EmailChannel:
    """Sends one message after the other over ``client``'s connection, which is opened when it is needed.

    ``sender`` is ``address`` or ``Name <address>``. The Message-ID is made from the message's key, so a mail server
    or reader that sees a message twice can tell. A refusal of the recipient or of the message is for good; one of
    the sender or the login, which says nothing about the message, is the channel being unavailable.
    """

    client: SMTP = field(repr=False)
    sender: str
    clock: Clock
    name: str = "email"
    _one_at_a_time: asyncio.Lock = field(factory=asyncio.Lock, init=False, eq=False, repr=False)

    def address(self, party: str, contact: Contact | None) -> str | None:
        return contact.email if contact is not None else None

    async def send(self, message: Message) -> Receipt:
        async with self._one_at_a_time:
            await self._connect()
            try:
                _, reply = await self.client.send_message(
                    self._mail(message), sender=parseaddr(self.sender)[1], recipients=[message.address]
                )
            except SMTPRecipientsRefused as refusal:
                return self._refused(refusal.recipients[0])
            except SMTPSenderRefused as refusal:
                raise self._unavailable(refusal) from refusal
            except SMTPResponseException as refusal:
                return self._refused(refusal)
            except (SMTPException, OSError) as failure:
                self.client.close()
                raise self._unavailable(failure) from failure
            except asyncio.CancelledError:
                self.client.close()  # in mid-message the connection is of no further use
                raise
        return Receipt(accepted=True, detail=reply)

    async def close(self) -> None:
        """Take leave of the server, if it still listens."""
        self.client.close()

    async def _connect(self) -> None:
        if self.client.is_connected:
            return
        try:
            await self.client.connect()
        except (SMTPException, OSError) as failure:
            self.client.close()
            raise self._unavailable(failure) from failure

    def _refused(self, refusal: SMTPResponseException) -> Receipt:
        if refusal.code not in _PERMANENT:
            raise self._unavailable(refusal) from refusal
        return Receipt(accepted=False, detail=f"{refusal.code} {refusal.message}")

    def _unavailable(self, failure: Exception) -> ChannelUnavailable:
        return ChannelUnavailable(self.name, said(failure))

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = message.address
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(self.clock())
        mail["Message-ID"] = f"<{message.key}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail
