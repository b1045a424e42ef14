"""The guard of routes that are for some roles only."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from ...domain.actor import Actor, Role


def for_roles(
    *roles: Role, refused: str
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    """Return a guard that refuses callers of other roles. ``refused`` says what they may not do, after their name."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if connection.scope["method"] == "OPTIONS":  # type: ignore[typeddict-item]  # it is answered without a caller
            return
        by: Actor = connection.user
        if by.role not in roles:
            raise HTTPException(detail=f"{by} {refused}", status_code=403)

    return guard
