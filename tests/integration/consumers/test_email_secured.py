"""Mail servers with TLS and a login: wrong settings are reported, also by the doctor, and no mail goes in the clear."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from ssl import Purpose, SSLContext, create_default_context

import pytest
import trustme
from attrs import evolve, frozen
from orderflow import InvalidInput, Settings
from orderflow.application.health.doctor import diagnosis
from orderflow.application.notifications.ports import Notifier
from orderflow.domain.errors import ChannelUnavailable
from orderflow.entrypoints.wiring import mail as of_mail
from orderflow.testing.consumers.shop import HandClock

from tests.integration.consumers.test_email import MESSAGE
from tests.support.commands import CommandLine
from tests.support.servers import free_port
from tests.support.smtp import Door, SmtpServer
from tests.unit.health.observations import HEALTHY, WANTED

LOGIN = ("orders", "k1tchen-pw")
ENCRYPTED = ("starttls", "tls")


@frozen
class Authority:
    """``file`` has its certificate, ``another`` that of one without certificates; ``server`` is localhost's."""

    file: str
    another: str
    server: SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authorities")
    ours, another = trustme.CA(), trustme.CA()
    for name, each in (("ours", ours), ("another", another)):
        each.cert_pem.write_to_path(str(folder / f"{name}.pem"))
    server = create_default_context(Purpose.CLIENT_AUTH)
    ours.issue_cert("localhost").configure_cert(server)
    return Authority(str(folder / "ours.pem"), str(folder / "another.pem"), server)


Serve = Callable[..., SmtpServer]


@pytest.fixture
def serve(authority: Authority) -> Iterator[Serve]:
    """Starts a mail server with that security, which asks for LOGIN."""
    with ExitStack() as running:

        def served(security: str) -> SmtpServer:
            return running.enter_context(SmtpServer(door=Door(security, authority.server, LOGIN)))

        yield served


def settings(server: SmtpServer, authority: Authority, security: str, **otherwise: object) -> Settings:
    """Return settings that fit ``server``, except those in ``otherwise``."""
    right = {
        "notification_channels": ("email",),
        "smtp_host": "localhost",
        "smtp_port": server.port,
        "smtp_username": LOGIN[0],
        "smtp_password": LOGIN[1],
        "smtp_security": security,
        "smtp_ca_file": authority.file,
    }
    return Settings(**{**right, **otherwise})  # type: ignore[arg-type]


@asynccontextmanager
async def email(settings: Settings) -> AsyncIterator[Notifier]:
    """The channel of these settings."""
    [channel] = of_mail.channels(settings, HandClock())
    yield channel
    await channel.close()


@pytest.mark.parametrize("security", ENCRYPTED)
async def test_mail_goes_encrypted_to_a_server_whose_name_is_certified_once_the_login_is_right(
    serve: Serve, authority: Authority, security: str
) -> None:
    server = serve(security)

    async with email(settings(server, authority, security)) as channel:
        receipt = await channel.send(MESSAGE)

    assert receipt.accepted
    assert [(mail.encrypted, mail.user) for mail in server.mails] == [(True, "orders")]


async def found(settings: Settings, patience: float = 20) -> dict[str, str]:
    """Return the doctor's findings on the mail server, by code. ``patience`` limits the seconds for each answer."""
    watch = of_mail.smtp_health(settings, patience=patience)
    seen = await watch.failure()
    look = evolve(HEALTHY, mail=seen, unanswered={"mail": str(seen)} if seen is not None else {})
    return {finding.code: finding.found for finding in diagnosis(look, WANTED).findings}


def wrong(authority: Authority) -> Mapping[str, tuple[dict[str, object], str, str]]:
    """Return the wrong settings, the text of the error, and the doctor's code for each."""
    return {
        "authority": ({"smtp_ca_file": authority.another}, "is not signed by a trusted authority", "mail_tls"),
        "system": ({"smtp_ca_file": ""}, "is not signed by a trusted authority", "mail_tls"),
        "host": ({"smtp_host": "127.0.0.1"}, "is for another host name", "mail_tls"),
        "password": ({"smtp_password": "guessed"}, "the login is refused", "mail_authentication"),
    }


@pytest.mark.parametrize("security", ENCRYPTED)
@pytest.mark.parametrize("fault", ["authority", "system", "host", "password"])
async def test_a_wrong_setting_is_reported_and_nothing_is_sent(
    serve: Serve, authority: Authority, security: str, fault: str
) -> None:
    server = serve(security)
    wrongly, reason, code = wrong(authority)[fault]
    given = settings(server, authority, security, **wrongly)

    async with email(given) as channel:
        with pytest.raises(ChannelUnavailable, match=reason) as refused:
            await channel.send(MESSAGE)
    by_doctor = await found(given)

    assert server.mails == []
    assert list(by_doctor) == [code]
    assert reason in by_doctor[code]
    assert "guessed" not in f"{refused.value} {by_doctor}"


@pytest.mark.parametrize("security", ENCRYPTED)
async def test_a_server_without_tls_gets_neither_login_nor_mail_where_it_is_demanded(
    serve: Serve, authority: Authority, security: str
) -> None:
    server = serve("none")
    given = settings(server, authority, security)

    async with email(given) as channel:
        with pytest.raises(ChannelUnavailable, match="TLS"):
            await channel.send(MESSAGE)

    assert server.mails == []
    assert list(await found(given)) == ["mail_tls"]


async def test_mail_in_the_clear_to_a_server_that_wants_tls_is_refused_with_the_reason(
    serve: Serve, authority: Authority
) -> None:
    given = settings(serve("starttls"), authority, "none")

    async with email(given) as channel:
        with pytest.raises(ChannelUnavailable, match="STARTTLS"):
            await channel.send(MESSAGE)

    assert list(await found(given)) == ["mail_tls"]


async def test_what_could_not_be_sent_goes_out_once_the_setting_is_right(serve: Serve, authority: Authority) -> None:
    server = serve("starttls")
    async with email(settings(server, authority, "starttls", smtp_password="guessed")) as channel:
        with pytest.raises(ChannelUnavailable):
            await channel.send(MESSAGE)

    async with email(settings(server, authority, "starttls")) as channel:
        await channel.send(MESSAGE)

    assert [mail.message["Message-ID"] for mail in server.mails] == ["<0b1f@localhost>"]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_is_refused_as_that(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    given = Settings(notification_channels=("email",), smtp_security="tls", smtp_ca_file=str(file))

    with pytest.raises(InvalidInput, match="ORDERFLOW_SMTP_CA_FILE"):
        of_mail.channels(given, HandClock())


@pytest.mark.parametrize("security", ["none", *ENCRYPTED])
async def test_the_doctor_finds_nothing_where_all_is_right_and_sends_nothing(
    serve: Serve, authority: Authority, security: str
) -> None:
    server = serve(security)

    assert await found(settings(server, authority, security)) == {}
    assert server.mails == []


async def test_the_doctor_says_why_a_mail_server_does_not_answer() -> None:
    async def answering(said: bytes) -> asyncio.Server:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            await writer.drain()
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", 0)

    async def at(port: int, host: str = "127.0.0.1", patience: float = 20) -> list[str]:
        return list(await found(Settings(notification_channels=("email",), smtp_host=host, smtp_port=port), patience))

    async with await answering(b"") as leaving, await answering(b"554 not today\r\n") as refusing:
        ports = [server.sockets[0].getsockname()[1] for server in (leaving, refusing)]
        findings = [await at(port) for port in (*ports, free_port())]
    unknown = await at(25, "nobody.invalid")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = await at(silent.getsockname()[1], patience=0.2)

    assert findings == [["mail_dropped"], ["mail_failed"], ["mail_refused"]]
    assert (unknown, mute) == (["mail_no_such_host"], ["mail_timeout"])


def test_an_operator_hears_it_from_the_doctor(serve: Serve, authority: Authority) -> None:
    given = settings(serve("starttls"), authority, "starttls", smtp_password="guessed")
    names = ("smtp_host", "smtp_port", "smtp_username", "smtp_password", "smtp_security", "smtp_ca_file")
    named = {f"ORDERFLOW_{name.upper()}": str(getattr(given, name)) for name in names}

    doctor = CommandLine("memory://", {**named, "ORDERFLOW_NOTIFICATION_CHANNELS": "email"})("--json", "doctor")
    log_only = CommandLine("memory://", {**named, "ORDERFLOW_NOTIFICATION_CHANNELS": "log"})("--json", "doctor")

    assert [finding["code"] for finding in doctor.data["findings"]] == ["mail_authentication"]
    assert (doctor.code, log_only.code) == (5, 0)
    assert "guessed" not in doctor.out + doctor.err
