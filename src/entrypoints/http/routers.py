"""Routers of one application."""

from typing import Any, Self

from litestar import Router


class OwnRouter(Router):
    """A router that is registered with one application only, which takes it as it is.

    Litestar copies a router deeply, which would take a third of the time to build the application.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
