"""``orderflow tokens``: bearer tokens for the HTTP API."""

from typing import Annotated

from cyclopts import App, Parameter

from ...domain.actor import Actor, Role
from .session import session

app = App(name="tokens")


@app.command
async def make(
    *,
    role: Role,
    id: str,
    label: str = "",
    if_none: Annotated[bool, Parameter(negative=(), help="only if there is no token yet")] = False,
) -> None:
    """Create a token for ROLE and ID. It is printed only once: the database stores its hash."""
    from ..http.auth import new_token

    actor = Actor(role, id)
    secret, digest = new_token()
    async with session().opened(create=True) as container:
        if if_none and await container.storage().tokens.any():
            if session().json:
                session().show({"token": None, "actor": None})
            session().info("a token exists, so none is created")
            return
        await container.storage().tokens.add(digest, actor, label=label, at=container.clock()())
    session().show({"token": secret, "actor": str(actor)}, secret)
    session().info(f"the token of {actor}; store it now, it is not shown again")
