"""``orderflow tokens``: bearer tokens for the HTTP API."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ...application.auth import EVERY_SCOPE, MAX_LABEL, Scope, Token, token_id
from ...domain.actor import Actor, Role
from ...domain.errors import InvalidInput, NotConfigured, NotFound
from ...domain.text import identifier, text
from .session import rows, session

if TYPE_CHECKING:
    from ..container import Container

app = App(name="tokens")

MAX_DAYS, MAX_HOURS = 3_650, 24 * 365


@app.command
async def make(
    *,
    role: Role,
    id: str,
    label: Annotated[str, Parameter(help=f"where it is used, such as an app; at most {MAX_LABEL} characters")] = "",
    scope: Annotated[list[Scope] | None, Parameter(negative=(), help="all, if none is given")] = None,
    days: Annotated[int | None, Parameter(help=f"until it expires, 1 to {MAX_DAYS}; without, it does not")] = None,
    if_none: Annotated[bool, Parameter(negative=(), help="only if there is no token yet")] = False,
) -> None:
    """Create a token for ROLE and ID. It is printed only once: the database stores its hash."""
    from ..http.auth import new_token

    actor = Actor(role, identifier(id, field="id"))
    text(label, field="label", at_most=MAX_LABEL)
    lifetime = None if days is None else timedelta(days=_within("days", days, 1, MAX_DAYS))
    secret, digest = new_token()
    async with _opened() as container:
        tokens = container.storage().tokens
        if if_none and await tokens.any():
            if session().json:
                session().show({"token": None, "actor": None})
            session().info("a token exists, so none is created")
            return
        now = await container.storage().now()
        await tokens.add(
            digest,
            actor,
            label=label,
            at=now,
            scopes=EVERY_SCOPE if scope is None else frozenset(scope),
            expires_at=None if lifetime is None else now + lifetime,
        )
    session().show({"token": secret, "actor": str(actor)}, secret)
    session().info(f"the token of {actor}; store it now, it is not shown again")


@app.command(name="list")
async def list_() -> None:
    """List all tokens, the newest first: whose they are, what they allow, and when they were used last."""
    async with _opened() as container:
        now = await container.storage().now()
        found = await container.storage().tokens.list()
    shown = [_described(token, now) for token in found]
    columns = ("id", "status", "actor", "label", "scopes", "expiresAt", "lastUsedAt")
    session().show(shown, rows(*columns, of=([_cell(token[name]) for name in columns] for token in shown)))


@app.command
async def revoke(token: str, /) -> None:
    """Revoke TOKEN: its id, as `tokens list` shows it, or its secret. Every process refuses it within a second."""
    known = token_id(token)
    async with _opened() as container:
        if not await container.storage().tokens.revoke(known, at=await container.storage().now()):
            raise NotFound("token", known)
    session().show({"revoked": known})


@app.command
async def rotate(
    token: str,
    /,
    *,
    hours: Annotated[int, Parameter(help=f"for which the old one stays valid, 0 to {MAX_HOURS}")] = 24,
) -> None:
    """Create a new token in place of TOKEN, of the same role, label, scopes and lifetime. Both are valid for HOURS.

    TOKEN is an id, as `tokens list` shows it, or a secret. The new one is printed only once. If it was lost, rotate
    TOKEN again, and revoke the one that was lost.
    """
    from ..http.auth import new_token

    overlap = timedelta(hours=_within("hours", hours, 0, MAX_HOURS))
    known, (secret, digest) = token_id(token), new_token()
    async with _opened() as container:
        now = await container.storage().now()
        until = now + overlap
        tokens = container.storage().tokens
        if not await tokens.replace(known, digest, at=now, until=until):
            raise NotFound("valid token", known)
        [new] = [each for each in await tokens.list() if each.id == token_id(secret)]
    session().show({"token": secret, "expiresAt": new.expires_at, "replaces": known, "until": until}, secret)
    ends = "does not expire" if new.expires_at is None else f"expires {new.expires_at.isoformat(timespec='seconds')}"
    session().info(
        f"the old one stays valid until {until.isoformat(timespec='seconds')} at most; the new one {ends}: store it now"
    )


@asynccontextmanager
async def _opened() -> AsyncIterator["Container"]:
    """Open the database, which must exist: a token of one that was just created would open no other door.

    Raises NotConfigured.
    """
    if session().settings.database_url == "memory://":
        raise NotConfigured("memory:// ends with this command, and its tokens with it", "set ORDERFLOW_DATABASE_URL")
    async with session().opened() as container:
        yield container


def _within(field: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise InvalidInput(field, str(value), f"{low} to {high}")
    return value


def _status(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.is_valid(now) else "expired"


def _described(token: Token, now: datetime) -> dict[str, object]:
    return {
        "id": token.id,
        "status": _status(token, now),
        "actor": str(token.actor),
        "label": token.label,
        "scopes": sorted(token.scopes),
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "revokedAt": token.revoked_at,
        "lastUsedAt": token.last_used_at,
    }


def _cell(value: object) -> object:
    if value == sorted(EVERY_SCOPE):
        return "all"
    return ", ".join(value) if isinstance(value, Collection) and not isinstance(value, str) else value
