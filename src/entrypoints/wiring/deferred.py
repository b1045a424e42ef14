"""Builders of what is imported when the first of each is built.

A command's start pays for every import, and an extra that is not installed must not be missed before it is used.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def deferred(path: str) -> Callable[..., Any]:
    """Return a function that builds an object of the class at ``path``, as MODULE:CLASS within this package."""
    module, _, name = path.partition(":")

    def build(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(f"...{module}", __package__), name)(*args, **kwargs)

    return build
