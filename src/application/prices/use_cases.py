"""The use-cases of prices, in one place."""

from attrs import frozen

from .change_prices import ChangePrices
from .read_prices import ReadPrices


@frozen
class PriceUseCases:
    """Reads and changes the prices of restaurants."""

    read: ReadPrices
    change: ChangePrices
