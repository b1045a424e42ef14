"""A real SMTP server on loopback that keeps the messages it accepts."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from attrs import frozen

from .servers import free_port, started


@frozen
class Mail:
    """One accepted message with its SMTP envelope."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


class SmtpServer:
    """An SMTP server at ``host`` and ``port``; what it accepted stands in ``mails``, oldest first.

    While ``refusal`` is set (``"451 try again later"``, ``"554 no"``) every message is answered by it.
    """

    host = "127.0.0.1"

    def __init__(self, port: int | None = None) -> None:
        """At a free port, or at the one of a server that was closed before."""
        self.port = free_port() if port is None else port
        self.mails: list[Mail] = []
        self.refusal: str | None = None
        self._listening = False
        self._controller = Controller(self, hostname=self.host, port=self.port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd when a message has come in whole."""
        if self.refusal is not None:
            return self.refusal
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
        return "250 kept"

    def start(self) -> None:
        """Listen; returns when the server answers."""
        self._controller.start()
        self._listening = True

    def close(self) -> None:
        """Listen no more; nothing happens when it does not."""
        if self._listening:
            self._listening = False
            self._controller.stop(no_assert=True)

    def __enter__(self) -> Self:
        return started(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
