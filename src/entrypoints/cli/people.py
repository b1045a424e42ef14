"""``orderflow contacts``, ``tokens`` and ``stock``: what people tell the installation."""

from typing import Annotated

from cyclopts import App, Parameter

from ...application.notices import Contact
from ...domain.errors import InvalidInput, NotFound
from ...domain.lifecycle import Actor, Role
from ..http.auth import new_token
from .session import rows, session

contacts = App(name="contacts", help="How customers, restaurants and shippers are reached.")
tokens = App(name="tokens", help="Bearer tokens of those who call the HTTP door.")
stock = App(name="stock", help="Quantities per restaurant and food; a food without one is unlimited.")


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


@tokens.command
async def make(
    *,
    role: Role,
    id: str,
    label: str = "",
    if_none: Annotated[bool, Parameter(negative=(), help="only while there is no token yet")] = False,
) -> None:
    """A new token for ROLE and ID. It is shown this once; only its hash is kept."""
    actor = Actor(role, id)
    secret, digest = new_token()
    async with session().opened() as container:
        if if_none and await container.storage().tokens.any():
            session().say("there is a token already, so none was made")
            return
        await container.storage().tokens.add(digest, actor, label=label, at=container.clock()())
    session().show({"token": secret, "actor": str(actor)}, secret)
    session().say(f"for {actor}; keep it, it is not shown again")


@stock.command(name="set")
async def set_stock(restaurant: str, food: str, quantity: str, /) -> None:
    """What may be ordered of FOOD at RESTAURANT from now on; 'unlimited': it is not counted any more."""
    if quantity != "unlimited" and not quantity.isdigit():
        raise InvalidInput("quantity", repr(quantity), "a whole number from 0, or unlimited")
    async with session().opened() as container:
        amount = None if quantity == "unlimited" else int(quantity)
        await container.effects().stock.set(restaurant, food, amount)
        left = await container.effects().stock.get(restaurant, food)
    session().show({"restaurantId": restaurant, "foodId": food, "quantity": left})


@stock.command(name="list")
async def list_stock(restaurant: str | None = None, /) -> None:
    """What is left of the foods that are counted."""
    async with session().opened() as container:
        found = await container.effects().stock.list(restaurant)
    session().show(
        found, rows("restaurant", "food", "left", of=((s.restaurant_id, s.food_id, s.quantity) for s in found))
    )
