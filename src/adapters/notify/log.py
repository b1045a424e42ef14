"""A channel that writes to the log: for trying things out, and where another system reads the log."""

from attrs import field, frozen
from structlog.typing import FilteringBoundLogger

from ...application.notices import Contact, Message, Receipt


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
            to=message.recipient,
            subject=message.subject,
            text=message.text,
            order=message.order_id,
            sequence=message.sequence,
            event_type=message.event_type,
            key=message.key,
        )
        return Receipt(accepted=True, detail="logged")
