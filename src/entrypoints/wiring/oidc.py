"""The OpenID provider whose tokens the API accepts, as the settings name it."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics import catalogue
from ...application.health.facts import OIDC
from ...domain.actor import Role
from ...domain.errors import NotConfigured
from ..settings import Settings

if TYPE_CHECKING:
    from ...adapters.oidc import OidcTokens


def oidc_tokens(
    settings: Settings, failed: Callable[[str, Exception], None], instruments: Instruments
) -> "OidcTokens | None":
    """Return what verifies the provider's tokens; None without one.

    Each reading of its keys is counted, and ``failed`` notes each that fails.
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
        KeySet(
            settings.oidc_issuer,
            settings.oidc_jwks_url,
            failed=partial(failed, OIDC),
            ended=lambda outcome: instruments.add(catalogue.OIDC_READS, outcome=outcome),
        ),
        settings.oidc_audience,
        Claims(
            role=settings.oidc_role_claim,
            id=settings.oidc_id_claim,
            roles={name: Role(role) for name, role in roles.items()},
        ),
    )


@frozen
class IdentityProbe:
    """Reads the keys of a provider."""

    settings: Settings

    async def check(self) -> None:
        from ...adapters.oidc import KeySet

        keys = KeySet(self.settings.oidc_issuer, self.settings.oidc_jwks_url, pause_seconds=0.0)
        try:
            await keys.read()
        finally:
            await keys.close()


def identity_health(settings: Settings) -> IdentityProbe | None:
    """Return the probe of the provider; None without one."""
    return IdentityProbe(settings) if settings.oidc_issuer else None
