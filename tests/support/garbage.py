"""The objects of this process that the garbage collector knows."""

import gc
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


def living(kind: type[T]) -> Iterator[T]:
    """Yield the objects of a class and its subclasses. ``isinstance()`` would make lazy objects do their work."""
    return (each for each in gc.get_objects() if issubclass(type(each), kind))
