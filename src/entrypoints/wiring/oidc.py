"""The OpenID provider whose tokens the API accepts, as the settings name it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...domain.actor import Role
from ...domain.errors import NotConfigured
from ..settings import Settings

if TYPE_CHECKING:
    from ...adapters.oidc import OidcTokens


def oidc_tokens(settings: Settings, failed: Callable[[str, Exception], None]) -> "OidcTokens | None":
    """Return what verifies the provider's tokens; None without one. ``failed`` notes each failure to read its keys.

    Raises NotConfigured without an audience, or without the extra ``oidc``.
    """
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_audience:
        fix = "set ORDERFLOW_OIDC_AUDIENCE to the name of this API at the provider"
        raise NotConfigured("tokens for every audience of the provider would be accepted", fix)
    try:
        from ...adapters.oidc import Claims, KeySet, OidcTokens
    except ModuleNotFoundError as e:
        if e.name is None or e.name.partition(".")[0] not in ("jwt", "cryptography", "httpx"):
            raise
        raise NotConfigured(f"an OpenID provider needs {e.name}", "pip install 'orderflow-service[oidc]'") from e
    roles = dict(pair.split("=", 1) for pair in settings.oidc_roles)
    return OidcTokens(
        KeySet(settings.oidc_issuer, settings.oidc_jwks_url, failed=lambda error: failed("oidc", error)),
        settings.oidc_audience,
        Claims(
            role=settings.oidc_role_claim,
            id=settings.oidc_id_claim,
            roles={name: Role(role) for name, role in roles.items()},
        ),
    )
