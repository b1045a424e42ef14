"""A channel that writes to the log: for trying things out, and where another system reads the log.

It says who is told of what, by ids. A letter's text may repeat what a person wrote (a reason, a dish), so it stays out.
"""

from attrs import field, frozen
from structlog.typing import FilteringBoundLogger

from ...application.notifications.notification import Contact, Message, Receipt
from ...domain.events import event_id


@frozen
class LogChannel:
    """Reaches everybody, since it asks for no address."""

    logger: FilteringBoundLogger = field(repr=False)
    name: str = "log"

    def address(self, party: str, contact: Contact | None) -> str | None:
        return party

    async def send(self, message: Message) -> Receipt:
        self.logger.info(
            "notification",
            order_id=message.order_id,
            event_id=event_id(message.order_id, message.sequence),
            to=message.recipient,
            subject=message.subject,
            sequence=message.sequence,
            type=message.event_type,
            key=message.key,
        )
        return Receipt(accepted=True, detail="logged")
