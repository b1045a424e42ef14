"""Builds the request that places an order of the day.

A day has only places and times. The lines, the payment method and the fee are derived from a digest of the
restaurant's and the order's id, and the customer's name and telephone number from the customer's id, so they are always
the same. The numbers are of the range 555-0100 to 555-0199, which is reserved for fiction.
"""

from decimal import ROUND_HALF_UP, Decimal
from hashlib import blake2b
from zlib import crc32

from ...application.orders.create_order import NewOrder
from ...domain.annotations import Annotations
from ...domain.currency import MINOR_UNITS
from ...domain.events import OrderLine
from ...domain.money import EXACT, Money, total_of
from ...domain.payment import PaymentMethod
from ...domain.text import identifier
from ...domain.validation import Address
from .day import Day, DayOrder, format_number

CURRENCY = "USD"
SANDBOX_CARD = "tok_success"
"""The card token that the sandbox gateway always accepts."""
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
"""Id, name and price of each dish at the cheapest restaurant."""

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
_FIRST_NAMES = (
    *("Ada", "Ben", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kwame", "Lucía", "Mei"),
    *("Noor", "Olga", "Priya", "Rosa", "Sami", "Tomás", "Yuki"),
)
_LAST_NAMES = (
    *("Adeyemi", "Bauer", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ivanova", "Jensen", "Kaya"),
    *("Lindqvist", "Moreau", "Nakamura", "O'Brien", "Patel", "Rossi", "Schäfer", "Tanaka", "Wójcik"),
)
_AREA_CODES = ("201", "212", "305", "312", "415", "503", "617", "702", "808", "917")


def customer_of(order: DayOrder) -> str:
    """Return the id of the customer at the order's address: orders to the same place have the same customer.

    It is a digest, because a customer's id is part of events, and an address must not be.
    """
    return f"customer-{crc32(f'{format_number(order.x)} {format_number(order.y)}'.encode()):08x}"


def annotations_of(customer: str) -> Annotations:
    """Return the name and the telephone number of a customer of the day. Different customers may share a number."""
    first, last, area, line = blake2b(customer.encode(), digest_size=4).digest()
    return Annotations(
        customer_name=f"{_FIRST_NAMES[first % len(_FIRST_NAMES)]} {_LAST_NAMES[last % len(_LAST_NAMES)]}",
        customer_phone=f"+1 {_AREA_CODES[area % len(_AREA_CODES)]} 555 01{line % 100:02}",
    )


def placement(day: Day, order: DayOrder, *, prefix: str | None = None, currency: str = CURRENCY) -> NewOrder:
    """Build the request that places ``order``. It is the same for the same day and order on every machine.

    The order's id is that of ``Day.order_id``; couriers and restaurants keep the ids of the day.

    Raises:
        InvalidInput: if the resulting id is not an identifier.
    """
    order_id = identifier(day.order_id(order, prefix), field="orderId")
    digest = iter(blake2b(f"{order.restaurant} {order.id}".encode()).digest())
    lines = _lines(order.restaurant, next(digest), [next(digest) for _ in range(3 * max(_LINES))], currency)
    method = _METHODS[next(digest) % len(_METHODS)]
    fee = _money(Decimal(_FEES[next(digest) % len(_FEES)]), currency)
    customer = customer_of(order)
    return NewOrder(
        order_id=order_id,
        customer_id=customer,
        restaurant_id=order.restaurant,
        lines=lines,
        payment_method=method,
        card_token=None if method is PaymentMethod.CASH else SANDBOX_CARD,
        currency=currency,
        total=total_of((line.total for line in lines), currency) + fee,
        address=Address(street=f"{format_number(order.x)} m east, {format_number(order.y)} m north", city=day.name),
        annotations=annotations_of(customer),
    )


def _lines(restaurant: str, count: int, draw: list[int], currency: str) -> tuple[OrderLine, ...]:
    """One to four different dishes; ``draw`` has three numbers for each."""
    menu = list(MENU)
    lines = []
    for index in range(_LINES[count % len(_LINES)]):
        food, quantity, discount = draw[3 * index : 3 * index + 3]
        food_id, name, base = menu.pop(food % len(menu))
        price = EXACT.add(Decimal(base), _surcharge(restaurant))
        times = _QUANTITIES[quantity % len(_QUANTITIES)]
        off = (
            EXACT.multiply(price, Decimal(times).scaleb(-1, EXACT)).quantize(_CENT, ROUND_HALF_UP, EXACT)
            if discount % _DISCOUNT_ONE_IN == 0
            else Decimal("0.00")
        )
        line = OrderLine(
            food_id=food_id,
            food_name=name,
            price=_money(price, currency),
            quantity=times,
            discount=_money(off, currency),
        )
        lines.append(line)
    return tuple(lines)


def _money(amount: Decimal, currency: str) -> Money:
    """Return ``amount`` in ``currency``; a hundred times as much in one without decimals, such as JPY."""
    return Money(amount, currency) * (1 if MINOR_UNITS[currency] else 100)


def _surcharge(restaurant: str) -> Decimal:
    """Return the difference between a restaurant's prices and the menu's."""
    return EXACT.multiply(Decimal("0.25"), crc32(restaurant.encode()) % 9)
