"""Verifying tokens of an OpenID provider: JSON Web Tokens (RFC 7519), by its key set."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from attrs import frozen
from jwt.exceptions import PyJWTError

from ...application.auth import Grant, InvalidToken
from .claims import Claims
from .key_set import KeySet
from .keys import FAMILY, MAX_KEY_ID

MAX_CHARACTERS = 8_192
"""Characters of a token; a longer one is refused before it is decoded."""
LEEWAY = timedelta(seconds=30)
"""The difference of two machines' clocks that is tolerated for ``exp`` and ``nbf``."""


@frozen
class OidcTokens:
    """Tokens that ``keys.issuer`` has signed for ``audience``. Each must have an expiry."""

    keys: KeySet
    audience: str
    claims: Claims

    async def start(self) -> None:
        await self.keys.start()

    async def close(self) -> None:
        await self.keys.close()

    async def verify(self, token: str) -> Grant:
        """Return what ``token`` grants. Raises InvalidToken; Unavailable if its key cannot be read."""
        if len(token) > MAX_CHARACTERS:
            raise InvalidToken(f"it has more than {MAX_CHARACTERS} characters")
        algorithm, key_id = _header(token)
        found = await self.keys.find(FAMILY[algorithm], key_id)
        if found is None or algorithm not in found.algorithms:
            raise InvalidToken("its issuer has no such key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                found.key,
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.keys.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
            expires_at = datetime.fromtimestamp(claims["exp"], UTC) + LEEWAY
        except (PyJWTError, ArithmeticError, ValueError, TypeError, OSError, RecursionError) as e:
            raise InvalidToken(_problem(e)) from e
        return Grant(self.claims.actor(claims), self.claims.scopes(claims), "oidc", expires_at)


def _header(token: str) -> tuple[str, str]:
    """Return the algorithm and the key's id, which is empty if there is none. Raises InvalidToken."""
    try:
        header = jwt.get_unverified_header(token)
    except (PyJWTError, ValueError, TypeError, RecursionError) as e:
        raise InvalidToken("it is no JSON Web Token") from e
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in FAMILY:
        raise InvalidToken(f"its algorithm is not allowed; allowed: {', '.join(FAMILY)}")
    if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID or "crit" in header:
        raise InvalidToken("its header is not understood")
    return algorithm, key_id


def _problem(error: Exception) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet"
        case jwt.InvalidAudienceError() | jwt.InvalidIssuerError() | jwt.MissingRequiredClaimError():
            return "it is of another issuer, for another audience, or without expiry"
        case _:
            return "its signature or its claims are not valid"
