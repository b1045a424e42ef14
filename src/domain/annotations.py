"""Annotations of an order by the caller who places it, for people and for other systems."""

from collections.abc import Mapping
from typing import Self

from attrs import field, fields, frozen

from .errors import InvalidInput
from .text import text

MAX_CUSTOMER_NAME = 100
MAX_PHONE = 40
MAX_NOTE = 500
MAX_PAIRS = 20
MAX_KEY = 40
MAX_VALUE = 200


def _pairs(given: Mapping[str, str] | tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the pairs by key. Raises InvalidInput."""
    if not isinstance(given, Mapping | tuple):
        raise InvalidInput("metadata", f"it is a {type(given).__name__}", "a mapping of texts to texts")
    metadata = dict(given)
    if len(metadata) > MAX_PAIRS:
        raise InvalidInput("metadata", f"{len(metadata)} pairs", f"at most {MAX_PAIRS} pairs")
    for key, value in metadata.items():
        text(key, field="metadata", at_least=1, at_most=MAX_KEY)
        text(value, field="metadata", at_most=MAX_VALUE)
    return tuple(sorted(metadata.items()))


@frozen(kw_only=True)
class Annotations:
    """The customer's name and telephone number, a note, and pairs of texts. They change nothing about an order.

    They are personal data, like the address: stored with the order, never in an event. The telephone number is kept as
    it was written. ``metadata`` is sorted by key, so its order makes no difference. Raises InvalidInput, which names no
    key or value.
    """

    customer_name: str | None = field(default=None, repr=False)
    customer_phone: str | None = field(default=None, repr=False)
    note: str | None = field(default=None, repr=False)
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False, converter=_pairs)

    def __attrs_post_init__(self) -> None:
        for value, name, at_most in (
            (self.customer_name, "customerName", MAX_CUSTOMER_NAME),
            (self.customer_phone, "customerPhone", MAX_PHONE),
            (self.note, "note", MAX_NOTE),
        ):
            if value is not None:
                text(value, field=name, at_least=1, at_most=at_most)

    @classmethod
    def of(
        cls,
        *,
        customer_name: str | None = None,
        customer_phone: str | None = None,
        note: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Self | None:
        """Return the annotations, None if none is given. Raises InvalidInput."""
        if customer_name is None and customer_phone is None and note is None and not metadata:
            return None
        return cls(
            customer_name=customer_name,
            customer_phone=customer_phone,
            note=note,
            metadata=metadata or {},
        )

    def differences(self, other: "Annotations") -> tuple[str, ...]:
        """Return the names of the values that differ."""
        return tuple(it.name for it in fields(Annotations) if getattr(self, it.name) != getattr(other, it.name))


NO_ANNOTATIONS = Annotations()
