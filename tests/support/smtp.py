"""A real SMTP server on loopback that keeps the messages it accepts."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from attrs import field, frozen

from .servers import Server, free_port


@frozen
class Mail:
    """One accepted message with its SMTP envelope, whether it came encrypted, and who had logged in."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    encrypted: bool = False
    user: str = ""


@frozen
class Door:
    """A way in for clients: ``security`` is none, starttls or tls, by ``certificate``; ``login`` is required if set.

    A server with STARTTLS takes neither login nor mail before it.
    """

    security: str = "none"
    certificate: SSLContext | None = None
    login: tuple[str, str] | None = field(default=None, repr=False)

    def opened(self) -> dict[str, Any]:
        """Return the keyword arguments of aiosmtpd."""
        asked = {"authenticator": self._known, "auth_require_tls": self.security == "starttls"}
        if self.security == "starttls":
            return {**asked, "tls_context": self.certificate, "require_starttls": True}
        return {**asked, "ssl_context": self.certificate if self.security == "tls" else None}

    def _known(self, _: SMTP, __: Session, ___: Envelope, ____: str, said: LoginPassword) -> AuthResult:
        given = (said.login.decode(), said.password.decode())
        return AuthResult(success=given == self.login, handled=False, auth_data=said)


class SmtpServer(Server):
    """An SMTP server at ``host`` and ``port``; what it accepted stands in ``mails``, oldest first.

    While ``refusal`` is set (``"451 try again later"``, ``"554 no"``) every message is answered by it. The mailboxes in
    ``full`` take none for now.
    """

    host = "127.0.0.1"

    def __init__(self, port: int | None = None, door: Door | None = None) -> None:
        """At a free port, or at the one of a server that was closed before."""
        self.port = free_port() if port is None else port
        self.mails: list[Mail] = []
        self.refusal: str | None = None
        self.full: set[str] = set()
        self._door = door or Door()
        self._listening = False
        self._controller = Controller(self, hostname=self.host, port=self.port, **self._door.opened())

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Called by aiosmtpd for each recipient."""
        if address in self.full:
            return "452 4.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd when a message has come in whole."""
        if self.refusal is not None:
            return self.refusal
        if self._door.login is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)
        assert server.transport is not None
        encrypted = server.transport.get_extra_info("cipher") is not None
        known = session.auth_data
        user = known.login.decode() if isinstance(known, LoginPassword) else ""
        self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message, encrypted, user))
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
