"""A channel that keeps its messages, for tests."""

from attrs import define, field

from ...application.notifications.notification import Contact, Message, Receipt
from ...domain.errors import ChannelUnavailable


@define(eq=False)
class MemoryNotifier:
    """Keeps messages to parties with an email address, or to all parties; ``sent`` is oldest first.

    While ``problem`` is set the channel is unavailable. Messages to the recipients in ``refused`` are refused.
    """

    name: str = "email"
    everybody: bool = False
    sent: list[Message] = field(factory=list, init=False)
    problem: str = ""
    refused: set[str] = field(factory=set)

    def address(self, party: str, contact: Contact | None) -> str | None:
        if self.everybody:
            return party
        return contact.email if contact is not None else None

    async def send(self, message: Message) -> Receipt:
        if self.problem:
            raise ChannelUnavailable(self.name, self.problem)
        if message.recipient in self.refused:
            return Receipt(accepted=False, detail="550 no such mailbox")
        self.sent.append(message)
        return Receipt(accepted=True, detail="250 kept")
