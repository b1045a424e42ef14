"""Exporting all that is kept of a customer."""

from datetime import datetime

from attrs import frozen

from ...domain.actor import Actor, Role
from ..auth import Tokens
from ..notifications.ports import Contacts, Notifications
from ..orders.order_view import OrderView, view
from ..orders.ports import OrderQueries
from ..orders.queries import OrderQuery


@frozen(kw_only=True)
class SentView:
    """A notification of the customer."""

    order_id: str
    sequence: int
    event_type: str
    channel: str
    address: str
    subject: str
    text: str
    status: str
    sent_at: datetime | None


@frozen(kw_only=True)
class TokenView:
    """A token of the customer, without its secret."""

    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@frozen(kw_only=True)
class CustomerExport:
    """A page of what is kept of a customer. ``has_card`` are the orders with a card token, which is never read back.

    ``next_cursor`` is None on the last page.
    """

    customer_id: str
    email: str | None
    tokens: tuple[TokenView, ...]
    orders: tuple[OrderView, ...]
    has_card: tuple[str, ...]
    notifications: tuple[SentView, ...]
    next_cursor: str | None


@frozen
class ExportCustomer:
    """Returns what is kept of a customer, in pages by orders, newest first. Raises InvalidInput, StorageUnavailable."""

    orders: OrderQueries
    notifications: Notifications
    contacts: Contacts
    tokens: Tokens

    async def __call__(self, customer_id: str, *, cursor: str | None = None) -> CustomerExport:
        query = OrderQuery(customer_id=customer_id, cursor=cursor)
        customer = Actor(Role.CUSTOMER, customer_id)
        contact = await self.contacts.get(str(customer))
        page = await self.orders.list(query)
        sent = await self.notifications.of_orders({order.id for order in page.orders})
        return CustomerExport(
            customer_id=customer_id,
            email=contact.email if contact is not None else None,
            tokens=tuple(
                TokenView(
                    label=token.label,
                    created_at=token.created_at,
                    expires_at=token.expires_at,
                    last_used_at=token.last_used_at,
                )
                for token in await self.tokens.list(customer)
            ),
            orders=tuple(view(order, customer) for order in page.orders),
            has_card=tuple(order.id for order in page.orders if order.payment.card_token is not None),
            notifications=tuple(
                SentView(
                    order_id=it.order_id,
                    sequence=it.sequence,
                    event_type=it.event_type,
                    channel=it.channel,
                    address=it.address,
                    subject=it.subject,
                    text=it.text,
                    status=it.status.value,
                    sent_at=it.sent_at,
                )
                for it in sent
                if it.recipient == str(customer)
            ),
            next_cursor=page.next_cursor,
        )
