"""The actor of a command: a role, and an identifier within that role."""

from enum import StrEnum
from typing import Self

from attrs import frozen

from .errors import InvalidInput
from .text import identifier, shown


def check_actor(by: object) -> None:
    """Raise InvalidInput if ``by`` is not an Actor, for example a text that ``Actor.parse`` would accept."""
    if not isinstance(by, Actor):
        raise InvalidInput("by", f"it is a {type(by).__name__}", 'an Actor, such as Actor.parse("customer:C1")')


class Role(StrEnum):
    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    SHIPPER = "shipper"
    ADMIN = "admin"


@frozen
class Actor:
    """The party that gives a command: a role and the identifier within it."""

    role: Role
    id: str

    def __attrs_post_init__(self) -> None:
        identifier(self.id, field="actor")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the actor of ``role:id`` (``restaurant:R7``). Raises InvalidInput."""
        role, _, id_ = text.partition(":") if isinstance(text, str) else ("", "", "")
        try:
            return cls(Role(role), id_)
        except ValueError:
            raise InvalidInput(
                "actor", f"{shown(text)} names no role", f"ROLE:ID, where ROLE is {', '.join(Role)}"
            ) from None

    def __str__(self) -> str:
        return f"{self.role}:{self.id}"
