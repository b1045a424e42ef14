"""The key set of an OpenID provider, read apart from the requests that need it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from urllib.parse import urlsplit

import httpx
from attrs import define, field
from msgspec.json import decode

from ...application.noop import noop
from ...domain.errors import Unavailable
from .keys import VerifyingKey, keys_of

DISCOVERY = "/.well-known/openid-configuration"
MAX_BYTES = 256 * 1024
"""Bytes of a document of the provider; more is a failure."""
READ_SECONDS = 5.0
"""Seconds in which the key set, with its discovery, must have arrived."""
REFRESH_SECONDS = 300.0
PAUSE_SECONDS = 1.0
"""Seconds between the starts of two readings, whatever key ids callers bring."""
RETRY_SECONDS = 5.0
"""Seconds after a failed reading, in which nothing is read again and an unknown key is unavailable at once."""
MAX_AGE_SECONDS = 24 * 3600.0
"""Seconds for which keys are used while the provider does not answer."""
MOST_WAITING = 100
"""Requests that wait for a reading."""

logger = logging.getLogger("orderflow.oidc")


@define(eq=False)
class KeySet:
    """The keys of ``issuer``, from ``url`` or, if that is empty, from where its discovery document says.

    They are read again every five minutes, and when a token names a key that is not known. A reading that fails, or
    finds no key, changes nothing: the known keys are used for a day more. ``failed`` is called with its error, and
    ``ended`` with ``ok`` or ``failed`` after each reading.
    """

    issuer: str
    url: str = ""
    failed: Callable[[Exception], None] = noop
    ended: Callable[[str], None] = noop
    clock: Callable[[], float] = monotonic
    retry_seconds: float = RETRY_SECONDS
    pause_seconds: float = PAUSE_SECONDS
    _keys: dict[tuple[str, str], VerifyingKey] = field(factory=dict, init=False)
    _read_at: float = field(default=float("-inf"), init=False)
    _tried_at: float = field(default=float("-inf"), init=False)
    _failure: Unavailable | None = field(default=None, init=False)
    _reading: "asyncio.Task[None] | None" = field(default=None, init=False)
    _refreshing: "asyncio.Task[None] | None" = field(default=None, init=False)
    _waiting: int = field(default=0, init=False)
    _client: httpx.AsyncClient | None = field(default=None, init=False)

    async def start(self) -> None:
        """Begin to read the key set, and return at once."""
        self._refreshing = asyncio.create_task(self._refresh(), name="oidc keys")

    async def close(self) -> None:
        for task in (self._refreshing, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})  # awaiting it would confuse its cancellation with the caller's
                if not task.cancelled():
                    with suppress(Unavailable):
                        task.result()
        if self._client is not None:
            await self._client.aclose()

    async def read(self) -> None:
        """Read the key set now. Raises Unavailable."""
        await self._read_again()

    async def find(self, family: str, key_id: str) -> VerifyingKey | None:
        """Return the key of that type and id; None if the provider has no such key, by a reading that began since.

        A token without a key id has the provider's only key of that type. Raises Unavailable if that is not known,
        because the provider does not answer or too many requests wait for it.
        """
        if (key := self._known(family, key_id)) is not None:
            return key
        if self._waiting >= MOST_WAITING:
            raise self._unavailable(f"{self._waiting} requests wait for it")
        self._waiting += 1
        try:
            await self._read_again()
        finally:
            self._waiting -= 1
        return self._known(family, key_id)

    def _known(self, family: str, key_id: str) -> VerifyingKey | None:
        if self.clock() - self._read_at > MAX_AGE_SECONDS:
            return None
        if key_id:
            return self._keys.get((family, key_id))
        found = [key for (of, _), key in self._keys.items() if of == family]
        return found[0] if len(found) == 1 else None

    async def _refresh(self) -> None:
        while True:
            try:
                await self._read_again()
                pause = REFRESH_SECONDS
            except Unavailable as e:
                logger.warning("the keys for tokens were not read", extra={"backend": e.backend, "problem": e.problem})
                pause = self.retry_seconds
            await asyncio.sleep(pause)

    async def _read_again(self) -> None:
        """Wait for a reading that began after this call; all who wait share it. Raises Unavailable."""
        began_at = self.clock()
        while self._read_at < began_at:
            if self._failure is not None and self.clock() - self._tried_at < self.retry_seconds:
                raise self._unavailable(self._failure.problem)
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
                self._reading.add_done_callback(_seen)
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        await asyncio.sleep(max(0.0, self._tried_at + self.pause_seconds - self.clock()))
        began = self._tried_at = self.clock()
        try:
            async with asyncio.timeout(READ_SECONDS):
                keys = keys_of(await self._get(self.url or await self._discovered()))
            if not keys:
                raise self._unavailable("it has no key that can verify a token")
        except (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError, Unavailable) as e:
            problem = e.problem if isinstance(e, Unavailable) else str(e) or type(e).__name__
            self._failure = self._unavailable(problem[:300])
            self.failed(self._failure)
            self.ended("failed")
            raise self._failure from e
        self._keys, self._read_at, self._failure = keys, began, None
        self.ended("ok")

    async def _discovered(self) -> str:
        document = await self._get(self.issuer.rstrip("/") + DISCOVERY)
        found = document if isinstance(document, dict) else {}
        url = found.get("jwks_uri")
        if found.get("issuer") != self.issuer or not isinstance(url, str) or not is_protected(url):
            raise self._unavailable("its discovery document is of another issuer, or names no https address of keys")
        return url

    async def _get(self, url: str) -> object:
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, timeout=READ_SECONDS)
        async with self._client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code != 200 or "content-encoding" in response.headers:
                raise self._unavailable(f"it answers with {response.status_code}")
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise self._unavailable(f"it has more than {MAX_BYTES} bytes")
        return decode(body)

    def _unavailable(self, problem: str) -> Unavailable:
        return Unavailable(f"the key set of {self.issuer}", problem)


def is_protected(url: str) -> bool:
    """Return whether what is read from ``url`` cannot be changed on its way: by TLS, or as it stays on this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        )
    except ValueError:
        return False


def _seen(reading: "asyncio.Task[None]") -> None:
    """Look at the outcome: those who waited for it may all be gone."""
    if not reading.cancelled():
        reading.exception()
