"""``orderflow stock``: the quantities that can be ordered."""

from cyclopts import App

from ...application.inventory.stock import MAX_STOCK
from ...domain.errors import InvalidInput
from ...domain.text import shown
from .arguments import parse_identifier
from .session import rows, session

app = App(name="stock")


@app.command(name="set")
async def set_(restaurant: str, food: str, quantity: str, /) -> None:
    """Set the quantity of FOOD that can be ordered at RESTAURANT from now on; 'unlimited' stops counting it."""
    amount = None if quantity == "unlimited" else _quantity(quantity)
    async with session().opened(create=True) as container:
        await container.effects().stock.set(restaurant, food, amount)
        left = await container.effects().stock.get(restaurant, food)
    session().show({"restaurantId": restaurant, "foodId": food, "quantity": left})


def _quantity(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_STOCK))):
        raise InvalidInput("quantity", shown(text), f"a whole number from 0 to {MAX_STOCK}, or unlimited")
    return int(text)


@app.command(name="list")
async def list_(restaurant: str | None = None, /) -> None:
    """List what is left of each food that is counted."""
    only = parse_identifier(restaurant, "restaurant")
    async with session().opened() as container:
        found = await container.effects().stock.list(only)
    session().show(
        found, rows("restaurant", "food", "left", of=((s.restaurant_id, s.food_id, s.quantity) for s in found))
    )
