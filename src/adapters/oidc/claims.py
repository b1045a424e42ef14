"""The claims of a token as the caller that they name."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ...application.auth import EVERY_SCOPE, InvalidToken, Scope
from ...domain.actor import Actor, Role
from ...domain.errors import InvalidInput

SCOPE_PREFIX = "orderflow:"
"""The prefix of the names that limit a token: ``orderflow:read``, ``orderflow:write``, ``orderflow:operate``."""


@frozen(kw_only=True)
class Claims:
    """The claims that name role and id. A claim within another is written with dots: ``realm_access.roles``.

    ``roles`` are the names that the provider uses for roles; without any, they are orderflow's own.
    """

    role: str = "role"
    id: str = "sub"
    roles: Mapping[str, Role] = field(factory=dict)

    def actor(self, claims: Mapping[str, Any]) -> Actor:
        """Return the caller that ``claims`` name. Raises InvalidToken."""
        named = _found(claims, self.role)
        names = named if isinstance(named, list) else [named]
        known = self.roles or {role.value: role for role in Role}
        roles = {known[name] for name in names if isinstance(name, str) and name in known}
        if len(roles) != 1:
            raise InvalidToken(f"its claim {self.role!r} names {'several roles' if roles else 'no role'}")
        id_ = _found(claims, self.id)
        try:
            return Actor(roles.pop(), id_)
        except InvalidInput as e:
            raise InvalidToken(f"its claim {self.id!r} is no identifier; allowed: {e.allowed}") from e

    def scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        """Return what the token is for: everything, unless its ``scope`` has a name of orderflow's."""
        named = claims.get("scope")
        names = named.split() if isinstance(named, str) else []
        own = {name.removeprefix(SCOPE_PREFIX) for name in names if name.startswith(SCOPE_PREFIX)}
        return frozenset(scope for scope in Scope if scope in own) if own else EVERY_SCOPE


def _found(claims: Mapping[str, Any], path: str) -> Any:
    """Return the claim of that name, or the one at that path; None if there is none."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
