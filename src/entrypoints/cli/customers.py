"""``orderflow customers``: what is kept of a customer, erased or exported."""

from attrs import evolve
from cyclopts import App

from .output import write_json
from .session import encode, session

app = App(name="customers")


@app.command
async def erase(customer_id: str, /, *, by: str, reason: str) -> None:
    """Erase contact, addresses, card tokens, and the text and address of what was sent to the customer.

    Orders, amounts and events stay. Open orders have to end first. --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        session().show(await container.erase_customer()(customer_id, by=by, reason=reason))


@app.command
async def export(customer_id: str, /) -> None:
    """Export all that is kept of the customer: contact, tokens, orders, and what was sent. Always JSON."""
    async with session().opened() as container:
        export_page = container.export_customer()
        found = page = await export_page(customer_id)
        while page.next_cursor is not None:
            page = await export_page(customer_id, cursor=page.next_cursor)
            found = evolve(
                found,
                orders=found.orders + page.orders,
                has_card=found.has_card + page.has_card,
                notifications=found.notifications + page.notifications,
                next_cursor=page.next_cursor,
            )
    write_json(encode(found))
