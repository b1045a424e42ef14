"""``orderflow contacts``: the addresses for notifications."""

from cyclopts import App

from ...application.notifications.notification import Contact
from ...domain.errors import NotFound
from .session import rows, session

app = App(name="contacts")


@app.command(name="set")
async def set_(party: str, /, *, email: str | None = None) -> None:
    """Set the email address of PARTY, which is ROLE:ID, such as customer:C1. Without --email the contact is deleted."""
    contact = Contact(party=party, email=email)
    async with session().opened(create=True) as container:
        await container.effects().contacts.set(contact)
    session().show(contact)


@app.command(name="list")
async def list_() -> None:
    """List all contacts."""
    async with session().opened() as container:
        found = await container.effects().contacts.list()
    session().show(found, rows("party", "email", of=((c.party, c.email) for c in found)))


@app.command
async def show(party: str, /) -> None:
    """Show the contact of PARTY."""
    async with session().opened() as container:
        found = await container.effects().contacts.get(party)
    if found is None:
        raise NotFound("contact of", party)
    session().show(found)
