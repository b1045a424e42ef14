"""Writes notifications to the log, for experiments and for systems that read the log.

Lines contain ids only. The text of a message may contain what a person wrote (a reason, a dish), so it is left out.
"""

from attrs import field, frozen
from structlog.typing import FilteringBoundLogger

from ...application.notifications.notification import Contact, Message, Receipt
from ...domain.events import event_id


@frozen
class LogChannel:
    """Logs each notification. It needs no contact, so it reaches every recipient."""

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
