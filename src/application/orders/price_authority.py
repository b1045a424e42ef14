"""The port that decides about the prices of a new order, and the rule that trusts them all."""

from typing import Protocol

from attrs import frozen

from ...domain.actor import Actor
from ...domain.order import Order


class PriceAuthority(Protocol):
    """Decides whether a new order may have the prices that it has."""

    async def check(self, order: Order, *, by: Actor) -> None:
        """Return if ``by`` may place ``order`` at its prices, before anything is stored.

        It is not asked about an order that exists already. Raises PricesRefused, StorageUnavailable, StorageBusy.
        """
        ...


@frozen
class TrustPrices:
    """Accepts every price: the caller who places the order sets it."""

    async def check(self, order: Order, *, by: Actor) -> None:
        """Return."""
