"""Email to a real SMTP server."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import parsedate_to_datetime

import pytest
from aiosmtplib import SMTP
from attrs import evolve
from orderflow.adapters.notifications.email import EmailChannel
from orderflow.adapters.notifications.templates import FileMessageTemplates
from orderflow.application.notifications.notification import Contact, Message, NotificationStatus
from orderflow.application.notifications.notify import Notify
from orderflow.domain.errors import ChannelUnavailable, TransientFailure
from orderflow.testing import NotificationChannelContract
from orderflow.testing.consumers.shop import HandClock, Shop
from orderflow.testing.consumers.world import World, memory_world

from tests.support.smtp import SmtpServer

MESSAGE = Message(
    key="0b1f",
    recipient="customer:C1",
    address="c1@example.org",
    subject="Your order o1 has arrived",
    text="Enjoy your crème brûlée!\n",
    order_id="o1",
    sequence=7,
    event_type="order.delivered",
)


HEADERS = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
)


@pytest.fixture
async def channel(smtp: SmtpServer) -> AsyncIterator[EmailChannel]:
    client = SMTP(hostname=smtp.host, port=smtp.port, timeout=60)
    channel = EmailChannel(client, Address("Orderflow", addr_spec="orders@shop.example"), HandClock())
    yield channel
    await channel.close()


class TestEmailChannel(NotificationChannelContract):
    @pytest.fixture
    def channel_that_is_down(self) -> EmailChannel:
        client = SMTP(hostname="127.0.0.1", port=9, timeout=5)  # the discard port, which refuses connections
        return EmailChannel(client, Address("Orderflow", addr_spec="orders@shop.example"), HandClock())


async def test_a_message_arrives_as_it_was_written(smtp: SmtpServer, channel: EmailChannel) -> None:
    receipt = await channel.send(MESSAGE)

    assert receipt.accepted
    [mail] = smtp.mails
    assert (mail.sender, mail.recipients) == ("orders@shop.example", ("c1@example.org",))
    headers = mail.message
    assert headers["From"] == "Orderflow <orders@shop.example>"
    assert headers["To"] == "c1@example.org"
    assert headers["Subject"] == "Your order o1 has arrived"
    assert headers["Message-ID"] == "<0b1f@shop.example>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(headers["Date"]) == HandClock().now
    assert headers.get_content().replace("\r\n", "\n") == "Enjoy your crème brûlée!\n"


@pytest.mark.parametrize(
    "subject",
    [
        "Order =?utf-8?q?=0D=0AReply-To:_a@evil.example?= was cancelled",
        "Order =?utf-8?b?DQpSZXBseS1UbzogYUBldmlsLmV4YW1wbGU=?= was cancelled",
        "=?us-ascii?q?=0A_x?=",
        "Jalapeño 🌶️ is ready",
        "long " + "x" * 64 + " and " + "=?utf-8?q?=0D=0AX:_y?=" * 3,
    ],
)
async def test_a_subject_is_text_whatever_it_contains(smtp: SmtpServer, channel: EmailChannel, subject: str) -> None:
    await channel.send(evolve(MESSAGE, subject=subject))

    [mail] = smtp.mails
    raw = [value for name, value in mail.message.raw_items() if name == "Subject"]
    assert [str(make_header(decode_header(value))) for value in raw] == [subject]
    assert sorted(mail.message.keys()) == sorted(HEADERS)


@pytest.mark.parametrize("address", ["a@[x.com", "a,b@x.com", "o@", "", "a@x.com\r\nDATA"])
async def test_an_address_that_is_none_is_refused_for_good(
    smtp: SmtpServer, channel: EmailChannel, address: str
) -> None:
    receipt = await channel.send(evolve(MESSAGE, address=address))

    assert not receipt.accepted
    assert "no address" in receipt.detail
    assert smtp.mails == []


async def test_one_connection_carries_many_messages(smtp: SmtpServer, channel: EmailChannel) -> None:
    for _ in range(3):
        await channel.send(MESSAGE)

    assert len(smtp.mails) == 3
    assert {mail.message["Message-ID"] for mail in smtp.mails} == {"<0b1f@shop.example>"}


async def test_a_refusal_for_good_says_what_the_server_said(smtp: SmtpServer, channel: EmailChannel) -> None:
    smtp.refusal = "554 we do not like it"

    receipt = await channel.send(MESSAGE)
    smtp.refusal = None
    next_one = await channel.send(MESSAGE)

    assert (receipt.accepted, receipt.detail) == (False, "554 we do not like it")
    assert next_one.accepted


async def test_a_refusal_for_now_may_be_tried_again(smtp: SmtpServer, channel: EmailChannel) -> None:
    smtp.refusal = "451 try again later"

    with pytest.raises(TransientFailure, match="try again later"):
        await channel.send(MESSAGE)
    smtp.refusal = None
    again = await channel.send(MESSAGE)

    assert again.accepted
    assert len(smtp.mails) == 1


async def test_a_mailbox_that_is_refused_for_now_holds_up_no_other_message(smtp: SmtpServer) -> None:
    world = memory_world()
    notify, channel = await _notify(world, smtp)
    await world.effects.contacts.set(Contact(party="restaurant:R1", email="full@example.org"))
    smtp.full = {"full@example.org"}
    shop = Shop()
    await shop.live("o1")

    await world.handling(notify)(await shop.records())
    settled = await notify.settle()
    await channel.close()

    waiting = await world.effects.notifications.list(NotificationStatus.PENDING, limit=100)
    assert {it.address for it in waiting if it.channel == "email"} == {"full@example.org"}
    assert {it.attempts for it in waiting} == {1}
    assert settled == len(smtp.mails) > 0


async def test_after_what_is_no_reply_the_next_message_has_a_connection_of_its_own() -> None:
    replies = [b"what?\r\n250 ok\r\n"]

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        data = False
        async for line in reader:
            if data and line != b".\r\n":
                continue
            data = line == b"DATA\r\n"
            if line.startswith(b"MAIL") and replies:
                writer.write(replies.pop())
            else:
                writer.write(b"354 go on\r\n" if data else b"250 ok\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = SMTP(hostname="127.0.0.1", port=server.sockets[0].getsockname()[1], timeout=60)
        channel = EmailChannel(client, Address("Orderflow", addr_spec="orders@shop.example"), HandClock())
        with pytest.raises(ChannelUnavailable, match="Malformed"):
            await channel.send(MESSAGE)
        receipt = await channel.send(MESSAGE)
        await channel.close()

    assert receipt.accepted


async def test_a_server_that_is_away_is_unavailable(smtp: SmtpServer, channel: EmailChannel) -> None:
    smtp.close()

    with pytest.raises(ChannelUnavailable, match="email"):
        await channel.send(MESSAGE)


async def test_who_has_no_address_is_not_reached(channel: EmailChannel) -> None:
    assert channel.address("customer:C1", None) is None
    assert channel.address("customer:C1", Contact(party="customer:C1", email="c1@example.org")) == "c1@example.org"


async def test_each_event_arrives_once_also_when_the_server_was_away_for_a_while(smtp: SmtpServer) -> None:
    world = memory_world()
    notify, channel = await _notify(world, smtp)
    shop = Shop()
    await shop.live("o1")
    smtp.close()
    handle = world.handling(notify)
    await handle(await shop.records())
    while_away = await notify.settle()

    with SmtpServer(smtp.port) as back:
        world.clock.forward(seconds=2)
        settled = await notify.settle()
        await handle(await shop.records())
        await notify.settle()
        await channel.close()

    assert (while_away, settled) == (0, 7)
    assert len({mail.message["Message-ID"] for mail in back.mails}) == len(back.mails) == 7
    assert {mail.recipients for mail in back.mails} == {("c1@example.org",)}
    stored = await world.effects.notifications.of_orders(["o1"])
    assert {it.status for it in stored if it.channel == "email"} == {NotificationStatus.SENT}


async def _notify(world: World, smtp: SmtpServer) -> tuple[Notify, EmailChannel]:
    """Notifications by email, with a contact of the customer alone."""
    await world.effects.contacts.set(Contact(party="customer:C1", email="c1@example.org"))
    client = SMTP(hostname=smtp.host, port=smtp.port, timeout=60)
    channel = EmailChannel(client, Address(addr_spec="orders@shop.example"), world.clock)
    return Notify([channel], FileMessageTemplates(), world.effects.notifications, world.clock), channel
