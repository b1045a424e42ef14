"""Sends notifications by email over SMTP."""

import asyncio
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused
from attrs import field, frozen

from ...application.clock import Clock
from ...application.notifications.addresses import address
from ...application.notifications.notification import Contact, Message, Receipt
from ...domain.errors import ChannelUnavailable, InvalidInput, TransientFailure
from .smtp_errors import error_text, is_permanent, is_temporary


@frozen
class EmailChannel:
    """Sends messages one after the other over the connection of ``client``, which is opened on demand.

    The Message-ID is derived from the message's key, so that mail servers and clients can detect duplicates. An address
    that is none, and a permanent refusal of the recipient or of the message, are final. After a temporary refusal only
    that message waits. A refusal of the sender or of the login, which does not concern the message, makes the channel
    unavailable.
    """

    client: SMTP = field(repr=False)
    sender: Address
    clock: Clock
    name: str = "email"
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False, eq=False, repr=False)

    def address(self, party: str, contact: Contact | None) -> str | None:
        return contact.email if contact is not None else None

    async def send(self, message: Message) -> Receipt:
        try:
            address(message.address)
        except InvalidInput as error:
            return Receipt(accepted=False, detail=str(error))
        async with self._lock:
            await self._connect()
            try:
                _, response = await self.client.send_message(
                    self._email_message(message), sender=self.sender.addr_spec, recipients=[message.address]
                )
            except SMTPRecipientsRefused as error:
                return self._refused(error.recipients[0])
            except SMTPSenderRefused as error:
                raise self._unavailable(error) from error
            except SMTPResponseException as error:
                return self._refused(error)
            except (SMTPException, OSError) as error:
                self.client.close()
                raise self._unavailable(error) from error
            except asyncio.CancelledError:
                self.client.close()  # the connection is in the middle of a message and cannot be reused
                raise
        return Receipt(accepted=True, detail=response)

    async def close(self) -> None:
        """Close the connection."""
        self.client.close()

    async def _connect(self) -> None:
        if self.client.is_connected:
            return
        try:
            await self.client.connect()
        except (SMTPException, OSError) as error:
            self.client.close()
            raise self._unavailable(error) from error

    def _refused(self, error: SMTPResponseException) -> Receipt:
        reply = f"{error.code} {error.message}"
        if is_permanent(error):
            return Receipt(accepted=False, detail=reply)
        if is_temporary(error):
            raise TransientFailure(reply) from error
        self.client.close()  # what is no reply may be followed by more
        raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> ChannelUnavailable:
        return ChannelUnavailable(self.name, error_text(error))

    def _email_message(self, message: Message) -> EmailMessage:
        email = EmailMessage()
        email["From"] = self.sender
        email["To"] = Address(addr_spec=message.address)
        email.set_raw("Subject", _encoded(message.subject))
        email["Date"] = format_datetime(self.clock())
        email["Message-ID"] = f"<{message.key}@{self.sender.domain}>"
        email["Auto-Submitted"] = "auto-generated"
        email.set_content(message.text)
        return email


def _encoded(subject: str) -> str:
    """Return ``subject`` for a header: what could be read as anything but text is an encoded word (RFC 2047).

    EmailMessage would decode an encoded word that is part of the subject.
    """
    plain = subject.isascii() and subject.isprintable() and "=?" not in subject
    return Header(subject, "us-ascii" if plain else "utf-8", header_name="Subject").encode()
