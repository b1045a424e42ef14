"""The responses that are stored under idempotency keys, as the HTTP API rendered them."""

import msgspec

_ERASED = {
    "address": msgspec.Raw(b"null"),
    "customerName": msgspec.Raw(b"null"),
    "customerPhone": msgspec.Raw(b"null"),
    "note": msgspec.Raw(b"null"),
    "metadata": msgspec.Raw(b"{}"),
}


def without_address(response: bytes) -> bytes:
    """Return a stored response with no address and no annotations, and everything else byte for byte."""
    shown = msgspec.json.decode(response, type=dict[str, msgspec.Raw])
    shown |= {name: erased for name, erased in _ERASED.items() if name in shown}
    return msgspec.json.encode(shown)
