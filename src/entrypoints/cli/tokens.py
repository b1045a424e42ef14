"""TODO."""

from typing import Annotated

from cyclopts import App, Parameter

from ...domain.actor import Actor, Role
from ..http.auth import new_token
from .session import session

tokens = App(name="tokens", help="Bearer tokens of those who call the HTTP door.")


@tokens.command
async def make(
    *,
    role: Role,
    id: str,
    label: str = "",
    if_none: Annotated[bool, Parameter(negative=(), help="only while there is no token yet")] = False,
) -> None:
    """A new token for ROLE and ID. It is shown this once; only its hash is kept."""
    actor = Actor(role, id)
    secret, digest = new_token()
    async with session().opened() as container:
        if if_none and await container.storage().tokens.any():
            session().say("there is a token already, so none was made")
            return
        await container.storage().tokens.add(digest, actor, label=label, at=container.clock()())
    session().show({"token": secret, "actor": str(actor)}, secret)
    session().say(f"for {actor}; keep it, it is not shown again")
