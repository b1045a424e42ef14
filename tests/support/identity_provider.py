"""An OpenID provider on loopback that can rotate its keys, go down, hang and lie."""

import asyncio
import base64
import hmac
import json
from contextlib import suppress
from hashlib import sha256
from time import time
from typing import Any

import jwt
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "orderflow"


@define
class SigningKey:
    """A private key under an id."""

    id: str
    private: Any
    algorithm: str

    @classmethod
    def rsa(cls, id: str) -> "SigningKey":
        return cls(id, rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256")

    @classmethod
    def ec(cls, id: str) -> "SigningKey":
        return cls(id, ec.generate_private_key(ec.SECP256R1()), "ES256")

    @classmethod
    def ed25519(cls, id: str) -> "SigningKey":
        return cls(id, ed25519.Ed25519PrivateKey.generate(), "EdDSA")

    @property
    def jwk(self) -> dict[str, Any]:
        kinds: dict[str, Any] = {
            "RS256": RSAAlgorithm,
            "RS512": RSAAlgorithm,
            "PS256": RSAAlgorithm,
            "ES256": ECAlgorithm,
            "EdDSA": OKPAlgorithm,
        }
        public = kinds[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.id, "use": "sig", "alg": self.algorithm}

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


@define
class IdentityProvider:
    """``document`` is what it answers for its keys; None: nothing, and the connection stays open."""

    keys: list[SigningKey] = field(factory=lambda: [SigningKey.ec("k1")])
    status: int = 200
    hangs: bool = False
    document: bytes | None = None
    """Its response instead of its keys."""
    moved: bool = False
    """True: its keys are at another address, to which it refers."""
    keys_url: str = ""
    """The address of the keys in its discovery document, if it is not its own."""
    endless: bool = False
    """True: an answer never ends."""
    headers: str = ""
    requests: list[str] = field(factory=list)
    _server: asyncio.Server | None = None
    _port: int = 0
    _open: set[asyncio.Task[None]] = field(factory=set)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Answer, at the same address as before if it was down."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def token(self, key: SigningKey | None = None, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token of admin:boss for an hour; a claim that is None is left out."""
        key = key or self.keys[0]
        now = int(time())
        payload = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "boss",
            "role": "admin",
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        given = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(given, key.private, key.algorithm, headers={"kid": key.id, **(header or {})})

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while request := (await reader.readuntil(b"\r\n\r\n")).decode():
                path = request.split(" ")[1]
                self.requests.append(path)
                if self.hangs:
                    await asyncio.Event().wait()
                while self.endless:
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 100_000)
                    await writer.drain()
                body = self._body(path)
                status, headers = self.status, self.headers
                if self.moved and path == "/keys":
                    status, headers = 302, f"location: {self.issuer}/moved\r\n"
                head = f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            self._open.discard(task)

    def _body(self, path: str) -> bytes:
        if path.endswith("/openid-configuration"):
            return json.dumps({"issuer": self.issuer, "jwks_uri": self.keys_url or f"{self.issuer}/keys"}).encode()
        if self.document is not None:
            return self.document
        return json.dumps({"keys": [key.jwk for key in self.keys]}).encode()


def signed_by_public_key(provider: IdentityProvider, key: SigningKey) -> str:
    """A token of HS256, with the public key as if it were a secret that both sides share."""
    claims = {"iss": provider.issuer, "aud": AUDIENCE, "sub": "boss", "role": "admin", "exp": int(time()) + 3600}
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": key.id}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(key.public_pem, signed, sha256)
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def unsigned(claims: dict[str, Any], **header: str) -> str:
    """A token with these claims and no signature."""
    parts = ({"alg": "none", "typ": "JWT", **header}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
