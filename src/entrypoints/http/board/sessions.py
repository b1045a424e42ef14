"""Logging in to the board and out, and the session in the cookie of a browser."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve, frozen
from litestar import Request, Response, Router, delete, get, post
from litestar.params import JSONBody

from ....application.auth import EVERY_SCOPE, Grant, digest_of
from ....application.sessions import SESSION_LIFETIME, CachedSessions, Session
from ....domain.actor import Actor
from ....domain.errors import InvalidInput
from ..auth import (
    CSRF_HEADER,
    GRANT,
    Authenticator,
    KnownTokens,
    Unauthenticated,
    is_this_machine,
    not_from_here,
)
from ..body_fields import Body
from ..caller_limits import RELEASE, Callers
from ..exact_body import ExactBody
from ..routers import OwnRouter
from ..views import render
from . import Board

COOKIE = "orderflow-session"
PATH = "/board/session"
_ENDED = "the session has ended; log in again"


class LogIn(Body):
    """A token or, in development mode, an actor."""

    token: str | None = None
    actor: str | None = None


@frozen(kw_only=True)
class SessionView:
    """The session as the page sees it. Without one, ``actor`` is null. ``day``: a simulated day can be watched."""

    actor: str | None
    role: str | None
    id: str | None
    csrf_token: str | None
    development: bool
    available_orders: bool
    time: datetime
    day: bool


@frozen
class CookieSessions:
    """Finds the session in a request's cookie.

    A session is a right only as long as what it was begun with: a token that is revoked ends it within a second, and
    an actor that was chosen in development mode counts only there, and in requests of the same machine.
    """

    sessions: CachedSessions
    tokens: KnownTokens
    development: bool

    async def grant(self, headers: Mapping[str, str], peer: str) -> Grant:
        """Return the rights of a request of the page. Raises Unauthenticated; Unavailable.

        The request must have the header that only this site's page can know, and must not be of another site.
        """
        secret = secret_in(headers)
        sent = headers.get(CSRF_HEADER.lower(), "").encode()  # compare_digest takes no text but ASCII
        if secret is None or not hmac.compare_digest(csrf_token(secret).encode(), sent):
            raise Unauthenticated(_ENDED)
        if problem := of_another_site(headers):
            raise Unauthenticated(problem)
        return await self.granted(secret, headers, peer)

    async def granted(self, secret: str, headers: Mapping[str, str], peer: str) -> Grant:
        """Return what the session with this secret grants now. Raises Unauthenticated; Unavailable."""
        session = await self.sessions.find(digest_of(secret))
        if session is None:
            raise Unauthenticated(_ENDED)
        if session.development and (not self.development or not_from_here(headers, peer)):
            raise Unauthenticated(_ENDED)
        if session.token:
            grant = await self.tokens.find(session.token)
            if grant is None:
                raise Unauthenticated("the token of the session has expired or was revoked; log in with another")
            return grant
        return evolve(session.grant, expires_at=session.expires_at)

    async def token_of(self, headers: Mapping[str, str]) -> str:
        """Return the digest of the token that the session of a request of the page rests on; empty for other requests.

        Raises Unauthenticated if the session has ended meanwhile; Unavailable.
        """
        if CSRF_HEADER.lower() not in headers:
            return ""
        session = await self.sessions.find(digest_of(secret_in(headers) or ""))
        if session is None:
            raise Unauthenticated(_ENDED)
        return session.token


def csrf_token(secret: str) -> str:
    """Return the text that a page of this session sends with every request."""
    return hmac.new(secret.encode(), b"csrf", "sha256").hexdigest()


def secret_in(headers: Mapping[str, str]) -> str | None:
    """Return the secret of the session in the cookie; None without one, or with several."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    found = [value for name, _, value in pairs if name == COOKIE and value.isascii()]
    return found[0] if len(found) == 1 else None


def of_another_site(headers: Mapping[str, str]) -> str:
    """Return why a browser has sent the request for another site's page; empty if it has not."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "the Origin must be this server's own"
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "the request is of another site's page"
    return ""


@frozen
class SessionDoor:
    """The dependencies of the session's routes."""

    board: Board
    authenticator: Authenticator
    cookies: CookieSessions
    callers: Callers

    async def log_in(self, request: Request[Any, Any, Any], data: LogIn) -> tuple[Grant, str]:
        """Begin a session. Returns what it grants and its secret. Raises Unauthenticated, InvalidInput, Unavailable."""
        peer = request.client.host if request.client else ""
        if (data.token is None) == (data.actor is None):
            raise InvalidInput("token", "give a token, or an actor", "one of the two")
        if data.token is not None:
            grant = await self.authenticator.by_secret(data.token.strip())
        elif not self.cookies.development:
            raise Unauthenticated("an actor can be chosen in development mode only; log in with a token")
        elif problem := not_from_here(request.headers, peer):
            raise Unauthenticated(f"an actor can be chosen on this machine only: {problem}")
        else:
            grant = Grant(Actor.parse(data.actor or ""), EVERY_SCOPE, "development")
        now = await self.board.now()
        ends = now + SESSION_LIFETIME
        # The grant of a stored token has no end of its own: it is asked for again with every request.
        stored = data.token is not None and grant.expires_at is None
        session = Session(
            grant=Grant(grant.actor, grant.scopes, grant.label),
            created_at=now,
            expires_at=ends if grant.expires_at is None else min(ends, grant.expires_at),
            token=digest_of(data.token.strip()) if stored and data.token is not None else "",
            development=data.actor is not None,
        )
        if (old := secret_in(request.headers)) is not None:
            await self.board.sessions.end(digest_of(old))
        secret = secrets.token_urlsafe(32)
        await self.board.sessions.add(digest_of(secret), session)
        return grant, secret

    async def view(self, secret: str | None, grant: Grant | None) -> SessionView:
        """Return a session as the page sees it."""
        return SessionView(
            actor=None if grant is None else str(grant.actor),
            role=None if grant is None else grant.actor.role.value,
            id=None if grant is None else grant.actor.id,
            csrf_token=None if secret is None or grant is None else csrf_token(secret),
            development=self.cookies.development,
            available_orders=self.board.available_orders,
            time=await self.board.now() if self.board.day is None else self.board.day.clock.now,
            day=self.board.day is not None,
        )


def session_router(door: SessionDoor, guards: list[Callable[..., Awaitable[None]]]) -> Router:
    """Return the routes of the session."""

    @get(PATH)
    async def session(request: Request[Any, Any, Any]) -> Response[Any]:
        """Return the session of the cookie, also if there is none: a page asks for it first."""
        secret, peer = secret_in(request.headers), request.client.host if request.client else ""
        grant = None
        if secret is not None and not of_another_site(request.headers):
            try:
                grant = await door.cookies.granted(secret, request.headers, peer)
            except Unauthenticated:
                secret = None
        return _response(await door.view(secret, grant))

    @post(PATH, dto=ExactBody[LogIn], return_dto=None, status_code=200)
    async def log_in(request: Request[Any, Any, Any], data: JSONBody[LogIn]) -> Response[Any]:
        """Begin a session, in place of the one in the cookie."""
        if problem := of_another_site(request.headers):
            raise Unauthenticated(problem)
        peer = request.client.host if request.client else ""
        await door.callers.admit_login(peer)
        grant, secret = await door.log_in(request, data)
        request.scope[GRANT] = grant  # type: ignore[literal-required]
        cookie = _cookie(request, secret, int(SESSION_LIFETIME.total_seconds()))
        return _response(await door.view(secret, grant), cookie)

    @delete(PATH, status_code=200)
    async def log_out(request: Request[Any, Any, Any]) -> Response[Any]:
        """End the session in the cookie, everywhere."""
        peer = request.client.host if request.client else ""
        request.scope[GRANT] = await door.cookies.grant(request.headers, peer)  # type: ignore[literal-required]
        await door.board.sessions.end(digest_of(secret_in(request.headers) or ""))
        return _response(await door.view(None, None), _cookie(request, "", 0))

    async def limited(connection: Any, handler: Any) -> None:
        peer = connection.client.host if connection.client else ""
        if RELEASE not in connection.scope:
            await door.callers.admit(connection.scope, peer)

    return OwnRouter("/", route_handlers=[session, log_in, log_out], guards=[*guards, limited], include_in_schema=False)


def _cookie(request: Request[Any, Any, Any], secret: str, seconds: int) -> str:
    """Return the header of the cookie, which no script can read and no other site's page can send.

    A browser sends it over TLS only, except to the machine that it runs on.
    """
    secure = (
        "" if request.scope["scheme"] == "http" and is_this_machine(request.headers.get("host", "")) else "; Secure"
    )
    path = f"{request.scope.get('root_path', '').rstrip('/')}/"
    return f"{COOKIE}={secret}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _response(view: SessionView, cookie: str | None = None) -> Response[Any]:
    headers = {"Cache-Control": "no-store"} | ({} if cookie is None else {"Set-Cookie": cookie})
    return Response(render(view), media_type="application/json", headers=headers)
