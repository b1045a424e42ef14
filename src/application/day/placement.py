"""What a day's order is to the order service: the day knows only where and when, the rest is made up, always alike.

Nothing here is random: whatever the day does not tell is read off a digest of the restaurant's and the order's id.
"""

from decimal import ROUND_HALF_UP, Decimal
from hashlib import blake2b
from zlib import crc32

from ...domain.events import OrderLine
from ...domain.money import Money, total_of
from ...domain.order import Address
from ...domain.payment import PaymentMethod
from ...domain.text import identifier
from ..orders.create_order import NewOrder
from .day import Day, DayOrder, plain

CURRENCY = "USD"
SANDBOX_CARD = "tok_success"
"""The sandbox gateway's card that can always be charged."""
MENU: tuple[tuple[str, str, str], ...] = (
    ("food-01", "Margherita", "9.50"),
    ("food-02", "Quattro formaggi", "12.40"),
    ("food-03", "Chicken curry", "11.90"),
    ("food-04", "Vegetable biryani", "10.20"),
    ("food-05", "Pad thai", "10.75"),
    ("food-06", "Cheeseburger", "8.95"),
    ("food-07", "Falafel plate", "7.60"),
    ("food-08", "Salmon maki", "13.30"),
    ("food-09", "Tomato soup", "4.85"),
    ("food-10", "Green salad", "5.45"),
    ("food-11", "Chocolate cake", "4.20"),
    ("food-12", "Lemonade", "2.99"),
)
"""Id, name and price of a food at the cheapest restaurant."""

_CENT = Decimal("0.01")
_LINES = (1, 1, 1, 2, 2, 2, 3, 4)
_QUANTITIES = (1, 1, 1, 1, 2, 2, 3)
_FEES = ("0.00", "1.49", "1.99", "2.99", "3.49")
_METHODS = (
    *(PaymentMethod.CASH,) * 3,
    *(PaymentMethod.CREDIT_CARD,) * 4,
    *(PaymentMethod.DEBIT_CARD,) * 3,
)
_DISCOUNT_ONE_IN = 8


def customer_of(order: DayOrder) -> str:
    """The customer at the order's door: two orders to one place are one customer's.

    A digest, since a customer's id enters events and an address must not.
    """
    return f"customer-{crc32(f'{plain(order.x)} {plain(order.y)}'.encode()):08x}"


def placement(day: Day, order: DayOrder, *, prefix: str | None = None, currency: str = CURRENCY) -> NewOrder:
    """What the customer of ``order`` asks for. The same day and order give an equal one, on every machine.

    The order's id is ``prefix`` (by default the day's name and a dash) and its id in the day; couriers and
    restaurants keep the day's ids. Raises InvalidInput where that is no identifier.
    """
    order_id = identifier(f"{f'{day.name}-' if prefix is None else prefix}{order.id}", field="orderId")
    draw = iter(blake2b(f"{order.restaurant} {order.id}".encode()).digest())
    lines = _lines(order.restaurant, next(draw), [next(draw) for _ in range(3 * max(_LINES))], currency)
    method = _METHODS[next(draw) % len(_METHODS)]
    fee = Money(Decimal(_FEES[next(draw) % len(_FEES)]), currency)
    return NewOrder(
        order_id=order_id,
        customer_id=customer_of(order),
        restaurant_id=order.restaurant,
        lines=lines,
        payment_method=method,
        card_token=None if method is PaymentMethod.CASH else SANDBOX_CARD,
        currency=currency,
        total=total_of((line.total for line in lines), currency) + fee,
        address=Address(street=f"{plain(order.x)} m east, {plain(order.y)} m north", city=day.name),
    )


def _lines(restaurant: str, count: int, draw: list[int], currency: str) -> tuple[OrderLine, ...]:
    """One to four different foods; ``draw`` has three numbers for each."""
    left = list(MENU)
    lines = []
    for index in range(_LINES[count % len(_LINES)]):
        food, quantity, discount = draw[3 * index : 3 * index + 3]
        food_id, name, base = left.pop(food % len(left))
        price = Decimal(base) + _dearer(restaurant)
        times = _QUANTITIES[quantity % len(_QUANTITIES)]
        off = (
            (price * times / 10).quantize(_CENT, ROUND_HALF_UP) if discount % _DISCOUNT_ONE_IN == 0 else Decimal("0.00")
        )
        line = OrderLine(
            food_id=food_id,
            food_name=name,
            price=Money(price, currency),
            quantity=times,
            discount=Money(off, currency),
        )
        lines.append(line)
    return tuple(lines)


def _dearer(restaurant: str) -> Decimal:
    """By how much every food of a restaurant costs more than on the menu."""
    return Decimal("0.25") * (crc32(restaurant.encode()) % 9)
