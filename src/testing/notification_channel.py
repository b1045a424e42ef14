"""The promises of every notification channel."""

import re
from typing import Any

import pytest
from attrs import evolve

from ..application.notifications.notification import Contact, Message, Receipt
from ..application.notifications.ports import Notifier
from ..domain.errors import ChannelUnavailable

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
PARTY = "customer:C1"
PARTIES = (PARTY, "restaurant:R7", "shipper:S3", "customer:C-2.b_x", f"customer:{'x' * 64}")
STRANGE = "Your order: 12,50 € \u202e\u2028 <b>&amp;</b> 🌶️ '; DROP TABLE orders; --"
"""A text that a person may write; a channel sends it as text, never as markup or a command."""


@pytest.mark.asyncio
class NotificationChannelContract:
    """Subclassed with a fixture ``channel`` that reaches ``contact``, by default customer C1 with an email address.

    If a fixture ``channel_that_is_down`` returns a channel whose other side does not answer, that is tested as well.
    """

    contact: Any = pytest.fixture(lambda self: Contact(party=PARTY, email="c1@example.org"))
    channel_that_is_down: Any = pytest.fixture(lambda self: None)

    @pytest.fixture
    def message(self, channel: Notifier, contact: Contact) -> Message:
        """Return a message to the contact."""
        address = channel.address(contact.party, contact)
        assert address is not None, "the contact has no address in this channel"
        return Message(
            key="0b1f8a3c-0000-5000-8000-000000000001",
            recipient=contact.party,
            address=address,
            subject="Your order O1 has arrived",
            text="Enjoy your meal!\n",
            order_id="O1",
            sequence=7,
            event_type="order.delivered",
        )

    async def test_its_name_is_a_word_that_stays_the_same(self, channel: Notifier) -> None:
        assert NAME.match(channel.name)
        assert channel.name == channel.name

    async def test_a_contact_that_it_reaches_has_one_address(self, channel: Notifier, contact: Contact) -> None:
        addresses = {channel.address(contact.party, contact) for _ in range(3)}

        assert len(addresses) == 1
        assert all(isinstance(address, str) and address for address in addresses)

    @pytest.mark.parametrize("party", PARTIES)
    async def test_a_party_without_a_contact_is_reached_or_not_but_breaks_nothing(
        self, channel: Notifier, party: str
    ) -> None:
        for contact in (None, Contact(party=party)):
            address = channel.address(party, contact)

            assert address is None or (isinstance(address, str) and address)

    async def test_a_message_is_accepted(self, channel: Notifier, message: Message) -> None:
        receipt = await channel.send(message)

        assert isinstance(receipt, Receipt)
        assert receipt.accepted is True
        assert isinstance(receipt.detail, str)

    async def test_a_message_that_is_sent_again_with_its_key_is_accepted(
        self, channel: Notifier, message: Message
    ) -> None:
        receipts = [await channel.send(message) for _ in range(2)]

        assert [receipt.accepted for receipt in receipts] == [True, True]

    async def test_any_text_is_sent(self, channel: Notifier, message: Message) -> None:
        receipt = await channel.send(evolve(message, subject=STRANGE, text=f"{STRANGE}\n" * 50))

        assert receipt.accepted is True

    async def test_a_channel_that_is_down_says_so(
        self, channel_that_is_down: Notifier | None, message: Message
    ) -> None:
        if channel_that_is_down is None:
            pytest.skip("this channel cannot be down, or its fixture channel_that_is_down is missing")

        with pytest.raises(ChannelUnavailable):
            await channel_that_is_down.send(message)
