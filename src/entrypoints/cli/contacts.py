"""``orderflow contacts``, ``tokens`` and ``stock``: what people tell the installation."""

from cyclopts import App

from ...application.notifications.notification import Contact
from ...domain.errors import NotFound
from .session import rows, session

contacts = App(name="contacts", help="How customers, restaurants and shippers are reached.")


@contacts.command(name="set")
async def set_contact(party: str, /, *, email: str | None = None) -> None:
    """PARTY is ROLE:ID, such as customer:C1. Without any address, how to reach it is forgotten."""
    contact = Contact(party=party, email=email)
    async with session().opened() as container:
        await container.effects().contacts.set(contact)
    session().show(contact)


@contacts.command(name="list")
async def list_contacts() -> None:
    """All contacts, by party."""
    async with session().opened() as container:
        found = await container.effects().contacts.list()
    session().show(found, rows("party", "email", of=((c.party, c.email) for c in found)))


@contacts.command(name="show")
async def show_contact(party: str, /) -> None:
    """How PARTY is reached."""
    async with session().opened() as container:
        found = await container.effects().contacts.get(party)
    if found is None:
        raise NotFound("contact of", party)
    session().show(found)
