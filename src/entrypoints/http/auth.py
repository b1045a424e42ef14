"""Authentication: bearer tokens, of which only the SHA-256 digest is stored, or a header for development."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Protocol

from attrs import frozen

from ...application.auth import PREFIX, Grant, IdentityTokens, InvalidToken, Scope, digest_of
from ...domain.actor import Actor
from ...domain.errors import InvalidInput

ACTOR_HEADER = "X-Actor"
CSRF_HEADER = "X-CSRF-Token"
"""The header that a page of the board sends with each request, and another site's page cannot."""
_PORT = re.compile(r":[0-9]{1,5}\Z")
FORWARDING = (
    *("forwarded", "via", "x-real-ip", "true-client-ip", "client-ip", "x-client-ip", "x-cluster-client-ip"),
    *("cdn-loop", "cf-", "fastly-", "x-amz", "x-appengine-", "x-azure-", "x-envoy-", "x-forwarded-", "x-original-"),
)
"""Headers, or beginnings of them, that proxies add to the requests of others."""
GRANT = "orderflow.grant"
"""The key of the scope with the grant of the caller who was authenticated."""


class Unauthenticated(Exception):
    """Raised if the caller is not authenticated. ``challenge`` is the value of the WWW-Authenticate header."""

    def __init__(self, problem: str, challenge: str = 'Bearer realm="orderflow"') -> None:
        super().__init__(problem)
        self.challenge = challenge


class InsufficientScope(Exception):
    """Raised if the caller's token is not for requests of this kind. ``challenge`` is as in RFC 6750, section 3."""

    code = "insufficient_scope"

    def __init__(self, needed: Scope, grant: Grant) -> None:
        super().__init__(f"the token is for {', '.join(sorted(grant.scopes)) or 'nothing'}, not to {needed}")
        self.challenge = f'Bearer realm="orderflow", error="insufficient_scope", scope="{needed}"'


def check_scope(grant: Grant, needed: Scope) -> None:
    """Raise InsufficientScope if ``grant`` is not for what is ``needed``."""
    if needed not in grant.scopes:
        raise InsufficientScope(needed, grant)


class LoggedIn(Protocol):
    """The sessions that an Authenticator asks."""

    async def grant(self, headers: Mapping[str, str], peer: str) -> Grant:
        """Return what the session in the cookie grants. Raises Unauthenticated; Unavailable."""
        ...


class KnownTokens(Protocol):
    """The tokens that an Authenticator asks."""

    async def find(self, digest: str) -> Grant | None: ...


def new_token() -> tuple[str, str]:
    """Create a secret (``of_`` and 256 random bits) and its digest. Only the digest is to be stored."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, digest_of(secret)


@frozen
class Authenticator:
    """Identifies the caller, by its token or, with ``trust_actor_header``, by the header of a program on this machine.

    The header is for development. It is refused if the request may come from elsewhere: from another machine,
    through a proxy, from another site's page in a browser, or to a name that another site has made point here. With
    ``identity``, its JSON Web Tokens are accepted besides the stored ones, and the header never is. With ``logged_in``,
    a request with the header of the board is that of the person whose session is in its cookie.
    """

    tokens: KnownTokens
    trust_actor_header: bool
    identity: IdentityTokens | None = None
    logged_in: LoggedIn | None = None

    async def __call__(self, headers: Mapping[str, str], peer: str) -> Grant:
        """Return the caller at the address ``peer`` and what it may do. Raises Unauthenticated; Unavailable."""
        authorization = headers.get("authorization")
        if authorization is not None:
            return await self._by_token(authorization)
        if self.logged_in is not None and CSRF_HEADER.lower() in headers:
            return await self.logged_in.grant(headers, peer)
        if self.trust_actor_header and self.identity is None:
            if problem := not_from_here(headers, peer):
                raise Unauthenticated(f"{ACTOR_HEADER} is for requests straight from this machine: {problem}")
            return Grant(_by_header(headers.get(ACTOR_HEADER.lower())))
        raise Unauthenticated("a token is required: Authorization: Bearer of_...")

    async def still_grants(self, grant: Grant, headers: Mapping[str, str], peer: str) -> bool:
        """Return whether the caller of a long response has the same rights as at its start. Raises Unavailable."""
        if grant.expires_at is not None and CSRF_HEADER.lower() not in headers:
            return datetime.now(UTC) < grant.expires_at
        try:
            return await self(headers, peer) == grant
        except Unauthenticated:
            return False

    async def _by_token(self, authorization: str) -> Grant:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("the Authorization header must have the form: Bearer of_...")
        return await self.by_secret(secret.strip())

    async def by_secret(self, secret: str) -> Grant:
        """Return what the token ``secret`` grants. Raises Unauthenticated; Unavailable."""
        try:
            if self.identity is not None and secret.count(".") == 2 and not secret.startswith(PREFIX):
                return await self.identity.verify(secret)
            if (grant := await self.tokens.find(digest_of(secret))) is None:
                raise InvalidToken("it is unknown, has expired or was revoked")
        except InvalidToken as e:
            challenge = 'Bearer realm="orderflow", error="invalid_token"'
            raise Unauthenticated(f"the token is invalid: {e}", challenge) from e
        return grant


def not_from_here(headers: Mapping[str, str], peer: str) -> str:
    """Return why the request may come from elsewhere; empty if it is of a program on this machine."""
    if not _is_loopback(peer):
        return "it comes from another address"
    if forwarding := [name for name in headers if name.lower().startswith(FORWARDING)]:
        return f"it was forwarded (it has the header {forwarding[0][:40]})"
    host = headers.get("host", "")
    if not is_this_machine(host):
        return "its Host must be localhost or a loopback address"
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "its Origin must be this server's own"
    return ""


def is_this_machine(host: str) -> bool:
    """Return whether the value of a header Host names this machine: localhost, or a loopback address."""
    return _is_loopback(_PORT.sub("", host).strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _by_header(value: str | None) -> Actor:
    if value is None:
        raise Unauthenticated(
            f"in development mode the header {ACTOR_HEADER} must identify the caller as role:id "
            "(customer:C1, restaurant:R7, shipper:S3 or admin:A1), or a token must"
        )
    try:
        return Actor.parse(value)
    except InvalidInput as e:
        raise Unauthenticated(f"{ACTOR_HEADER} is invalid: {e.problem}; allowed: {e.allowed}") from e
