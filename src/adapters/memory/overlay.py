"""Uncommitted writes over a dictionary."""

from collections.abc import Collection, Hashable
from typing import Any, Generic, TypeVar

from attrs import field, frozen

K = TypeVar("K", bound=Hashable)


V = TypeVar("V")


_GONE: Any = object()


@frozen
class Overlay(Generic[K, V]):
    """Changes over ``kept``, which are invisible to others until ``keep``."""

    kept: dict[K, V]
    _changes: dict[K, V] = field(factory=dict, init=False)

    def get(self, key: K) -> V | None:
        if key in self._changes:
            value = self._changes[key]
            return None if value is _GONE else value
        return self.kept.get(key)

    def among(self, keys: Collection[K]) -> dict[K, V]:
        """Return the entries with these keys."""
        found = ((key, self.get(key)) for key in keys)
        return {key: value for key, value in found if value is not None}

    def all(self) -> dict[K, V]:
        """Return all entries as they will be after ``keep``."""
        merged = {**self.kept, **self._changes}
        return {key: value for key, value in merged.items() if value is not _GONE}

    def put(self, key: K, value: V) -> None:
        self._changes[key] = value

    def drop(self, key: K) -> None:
        self._changes[key] = _GONE

    def keep(self) -> None:
        for key, value in self._changes.items():
            if value is _GONE:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
