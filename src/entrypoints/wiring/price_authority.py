"""The price authority that the settings name."""

from ...application.orders.price_authority import PriceAuthority, TrustPrices
from ...application.prices.check_prices import ListedPrices
from ..settings import Settings
from .parts import PartKind, make_part

TRUST, LIST = "trust", "list"
PRICES = PartKind(
    setting="ORDERFLOW_PRICES",
    what="price authority",
    port=PriceAuthority,
    group="orderflow.prices",
    shipped=(TRUST, LIST),
)


def price_authority(settings: Settings, listed: ListedPrices) -> PriceAuthority:
    """Return the authority that the settings name. Raises InvalidInput for one that is unknown or cannot be made."""
    if settings.prices == TRUST:
        return TrustPrices()
    if settings.prices == LIST:
        return listed
    authority: PriceAuthority = make_part(PRICES, settings.prices)
    return authority
