"""The keys of a JSON Web Key Set, as far as they may verify a signature."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from jwt import PyJWK
from jwt.exceptions import PyJWTError

ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""The algorithms of each type of key. All are asymmetric: a public key signs nothing."""
FAMILY: Mapping[str, str] = {name: family for family, names in ALGORITHMS.items() for name in names}
RSA_BITS = range(2048, 8193)
MAX_KEYS = 100
MAX_KEY_ID = 256


@frozen
class VerifyingKey:
    """A public key, and the algorithms that it may verify."""

    key: Any
    algorithms: tuple[str, ...]


def keys_of(document: object) -> dict[tuple[str, str], VerifyingKey]:
    """Return the usable keys by type and id; one that has no id has an empty one. Others are left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found: dict[tuple[str, str], VerifyingKey] = {}
    for jwk in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        family, key_id = jwk.get("kty"), jwk.get("kid", "")
        if not isinstance(family, str) or not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID:
            continue
        if (key := _key(jwk, ALGORITHMS.get(family, ()))) is not None:
            found.setdefault((family, key_id), key)
    return found


def _key(jwk: Mapping[str, Any], algorithms: tuple[str, ...]) -> VerifyingKey | None:
    if "alg" in jwk:
        algorithms = tuple(name for name in algorithms if name == jwk["alg"])
    if not algorithms:
        return None
    public = {name: value for name, value in jwk.items() if name in ("kty", "crv", "n", "e", "x", "y")}
    try:
        key: Any = PyJWK(public, algorithms[0]).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if jwk["kty"] == "RSA" and key.key_size not in RSA_BITS:
        return None
    return VerifyingKey(key, algorithms)
