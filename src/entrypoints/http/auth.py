"""Who calls: bearer tokens, known by their SHA-256 digest alone, or a header on a machine of one's own."""

import secrets
from collections.abc import Mapping
from hashlib import sha256

from attrs import frozen

from ...application.auth import Tokens
from ...domain.actor import Actor
from ...domain.errors import InvalidInput

PREFIX = "of_"
"""Every secret begins so, which lets scanners of leaked credentials recognise one."""
ACTOR_HEADER = "X-Actor"


class Unauthenticated(Exception):
    """Nobody is known to call. ``challenge`` is the WWW-Authenticate header's value."""

    def __init__(self, problem: str, challenge: str = 'Bearer realm="orderflow"') -> None:
        super().__init__(problem)
        self.challenge = challenge


def new_token() -> tuple[str, str]:
    """A secret to hand out once (``of_`` and 256 random bits), and the digest to keep."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, digest_of(secret)


def digest_of(secret: str) -> str:
    """SHA-256 in hex. A secret of 256 random bits needs no salt and no slow hash."""
    return sha256(secret.encode()).hexdigest()


@frozen
class Callers:
    """Finds out who calls. The header is believed only where it may be, and until the first token is made."""

    tokens: Tokens
    trust_actor_header: bool

    async def __call__(self, headers: Mapping[str, str]) -> Actor:
        """Raises Unauthenticated; StorageUnavailable."""
        authorization = headers.get("authorization")
        if authorization is not None:
            return await self._by_token(authorization)
        if self.trust_actor_header and not await self.tokens.any():
            return _by_header(headers.get(ACTOR_HEADER.lower()))
        raise Unauthenticated("a token is needed: Authorization: Bearer of_...")

    async def _by_token(self, authorization: str) -> Actor:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("the Authorization header is not of the form: Bearer of_...")
        actor = await self.tokens.find(digest_of(secret.strip()))
        if actor is None:
            raise Unauthenticated("this token is not known", 'Bearer realm="orderflow", error="invalid_token"')
        return actor


def _by_header(said: str | None) -> Actor:
    if said is None:
        raise Unauthenticated(
            f"no token is configured, so the header {ACTOR_HEADER} must say who calls, as role:id "
            "(customer:C1, restaurant:R7, shipper:S3 or admin:A1)"
        )
    try:
        return Actor.parse(said)
    except InvalidInput as e:
        raise Unauthenticated(f"{ACTOR_HEADER} is not understood: {e.problem}; allowed: {e.allowed}") from e
