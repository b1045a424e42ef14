"""TODO."""

from cyclopts import App

from ...domain.errors import InvalidInput
from .session import rows, session

stock = App(name="stock", help="Quantities per restaurant and food; a food without one is unlimited.")


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
