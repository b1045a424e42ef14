"""Consent: who may place a customer's order, and take the customer's money.

A customer consents by placing the order. The restaurant, which is paid for the order, does not act for its customer
unless a setting of the installation says so.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen

from .actor import Role
from .lifecycle import Relation


class RestaurantOrders(StrEnum):
    """The actions that restaurants may take without their customers. Each value includes the ones before it."""

    NONE = "none"
    CASH = "cash"
    ALL = "all"

    def includes(self, other: "RestaurantOrders") -> bool:
        """Return whether what needs ``other`` is allowed."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = tuple(RestaurantOrders)


class MoneyAction(StrEnum):
    """The actions that oblige a customer to pay, or take the money."""

    PLACE_CASH = "place an order paid in cash"
    PLACE_CARD = "place an order paid by card"
    TAKE_CASH = "record cash as received"
    CHARGE_CARD = "charge the card"


@frozen
class ConsentRule:
    """The roles that may do it, each with the relation that it needs; a restaurant also needs ``restaurants``."""

    by: Mapping[Role, Relation]
    restaurants: RestaurantOrders

    def parties(self, setting: RestaurantOrders) -> Mapping[Role, Relation]:
        """Return who may do it in an installation with this setting."""
        if setting.includes(self.restaurants):
            return self.by
        return {role: relation for role, relation in self.by.items() if role is not Role.RESTAURANT}


_OWN = {Role.CUSTOMER: Relation.OWN, Role.RESTAURANT: Relation.OWN}
_PARTIES = {**_OWN, Role.ADMIN: Relation.ANY}

CONSENT: Mapping[MoneyAction, ConsentRule] = {
    MoneyAction.PLACE_CASH: ConsentRule(_PARTIES, RestaurantOrders.CASH),
    MoneyAction.PLACE_CARD: ConsentRule(_PARTIES, RestaurantOrders.ALL),
    MoneyAction.TAKE_CASH: ConsentRule(
        {Role.RESTAURANT: Relation.OWN, Role.SHIPPER: Relation.ASSIGNED, Role.ADMIN: Relation.ANY},
        RestaurantOrders.NONE,
    ),
    MoneyAction.CHARGE_CARD: ConsentRule(
        {**_OWN, Role.SHIPPER: Relation.ASSIGNED, Role.ADMIN: Relation.ANY}, RestaurantOrders.ALL
    ),
}
"""The rule of each action."""


def placing(*, by_card: bool) -> MoneyAction:
    return MoneyAction.PLACE_CARD if by_card else MoneyAction.PLACE_CASH


def paying(*, by_card: bool) -> MoneyAction:
    return MoneyAction.CHARGE_CARD if by_card else MoneyAction.TAKE_CASH
