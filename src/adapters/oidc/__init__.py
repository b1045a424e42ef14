"""Tokens of an OpenID provider. Needs the extra ``orderflow-service[oidc]``."""

from .claims import Claims
from .key_set import KeySet
from .tokens import OidcTokens

__all__ = ["Claims", "KeySet", "OidcTokens"]
