"""Sends webhooks over HTTP, whatever the receiver does."""

import asyncio
import re
import ssl
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import httpcore
from attrs import define, field, frozen

from ...application.clock import utc_now
from ...application.redaction import bounded
from ...application.webhooks.delivery import MAX_DETAIL, WebhookMessage, WebhookResponse
from ...application.webhooks.endpoint import Endpoint
from ..certificates import certificate_problem, trusting
from .addresses import AddressRefused, Resolve, checked_addresses
from .bounded_network import BoundedNetwork
from .signing import signed

AUTHORITIES = "ORDERFLOW_WEBHOOK_CA_FILE"
"""The setting of the file of authorities."""
MAX_RESPONSE = 4_096
"""Bytes of a response's body that are read; then the connection is closed."""
PINNED_SECONDS = 30.0
"""Seconds for which a checked address is used for new connections without another lookup."""
MOST_ADDRESSES = 4
"""Addresses of a host that one attempt tries to connect to, one after the other."""
BODY_SECONDS = 1.0
"""Seconds in which that beginning must arrive; the status is known by then, and counts."""
HTTP_ERRORS = (
    httpcore.ConnectionNotAvailable,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)
_TO_ENCODE = re.compile(r'["<>\\^`{|}]')
"""Characters that may stand in a URL that an operator writes, and that not every receiver takes as they are."""
_SECONDS = re.compile(r"[0-9]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@frozen(kw_only=True)
class Limits:
    """The limits of sending. ``seconds`` bound one attempt, from the lookup to the end of the response.

    ``private``: private and loopback addresses are allowed, and http. With ``proxy`` (a URL) the proxy looks hosts up,
    and what it may reach is its business. ``authorities`` is a PEM file; empty: the system's.
    """

    seconds: float = 15.0
    private: bool = False
    proxy: str = field(default="", repr=False)
    authorities: str = ""


@define(eq=False)
class _Connections:
    """The connections to one endpoint. They are its own, as their certificates were checked for its host."""

    pool: httpcore.AsyncConnectionPool
    addresses: Sequence[str] = ()
    reached: str = ""
    """The address that was connected to last, which is tried first."""
    pinned_until: float = 0.0
    lookup: "asyncio.Task[Sequence[str]] | None" = None
    """The one lookup of the host; one that hangs is not begun a second time."""


@define(eq=False)
class HttpWebhookClient:
    """Posts signed messages. It follows no redirect, takes no proxy from the environment, and keeps no cookie.

    A message goes to an address of the endpoint's host that was checked, and to no other, also if the name is moved
    meanwhile. If an address cannot be connected to, the host's next one is tried. ``agent`` is the User-Agent.
    ``clock`` is the time of the signatures, by which receivers refuse old messages. ``resolve`` looks a host up.
    """

    limits: Limits
    agent: str
    clock: Callable[[], datetime] = utc_now
    resolve: Resolve | None = None
    _connections: dict[str, _Connections] = field(factory=dict, init=False)
    _tls: ssl.SSLContext | None = field(default=None, init=False)

    async def post(self, endpoint: Endpoint, message: WebhookMessage, secrets: Sequence[str]) -> WebhookResponse:
        if not secrets:
            return WebhookResponse(detail="the endpoint has no valid secret")
        connections = self._connections.get(endpoint.id)
        if connections is None:
            connections = self._connections[endpoint.id] = _Connections(self._new_pool(endpoint.url))
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self._post(connections, endpoint.url, message, secrets)
        except TimeoutError:
            return WebhookResponse(detail=f"no answer within {self.limits.seconds:g} s")
        except (AddressRefused, *HTTP_ERRORS, OSError, UnicodeError) as error:
            connections.pinned_until = 0.0
            return WebhookResponse(detail=_problem(error))

    async def forget(self, endpoint_ids: Collection[str]) -> None:
        for endpoint_id in [it for it in self._connections if it not in endpoint_ids]:
            await self._connections.pop(endpoint_id).pool.aclose()

    async def close(self) -> None:
        await self.forget(())

    async def _post(
        self, connections: _Connections, url: str, message: WebhookMessage, secrets: Sequence[str]
    ) -> WebhookResponse:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        headers = {
            "host": parts.netloc,
            **signed(message, secrets, self.clock()),
            "content-type": "application/json",
            "content-length": str(len(message.body)),
            "user-agent": self.agent,
            "accept-encoding": "identity",
        }
        seconds = self.limits.seconds
        extensions: dict[str, Any] = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)}
        addresses: Sequence[str] = (host,)
        if not self.limits.proxy:
            addresses = await self._addresses(connections, host, port)
            extensions["timeout"]["connect"] = seconds / len(addresses)
            if parts.scheme == "https":
                extensions["sni_hostname"] = host
        for address in addresses:
            target = httpcore.URL(scheme=parts.scheme.encode(), host=address.encode(), port=port, target=_target(parts))
            try:
                async with connections.pool.stream(
                    "POST", target, content=message.body, headers=list(headers.items()), extensions=extensions
                ) as response:
                    connections.reached = address
                    return await self._answer(response)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):  # nothing was sent
                if address == addresses[-1]:
                    raise
        raise AssertionError("the last address answers, or raises")

    async def _addresses(self, connections: _Connections, host: str, port: int) -> Sequence[str]:
        """Return the addresses to try."""
        if monotonic() >= connections.pinned_until:
            if connections.lookup is None or connections.lookup.done():
                looking = checked_addresses(host, port, private=self.limits.private, resolve=self.resolve)
                connections.lookup = asyncio.create_task(looking)
                connections.lookup.add_done_callback(_seen)
            connections.addresses = await asyncio.shield(connections.lookup)
            connections.pinned_until = monotonic() + PINNED_SECONDS
        return sorted(connections.addresses, key=lambda it: it != connections.reached)[:MOST_ADDRESSES]

    async def _answer(self, response: httpcore.Response) -> WebhookResponse:
        """Return what the status and the beginning of the body say. An accepted message needs no body."""
        code = response.status
        body = await _beginning(response)
        if 200 <= code < 300:
            return WebhookResponse(code=code)
        if 300 <= code < 400:
            return WebhookResponse(code=code, detail=f"{code}: redirects are not followed")
        retry = next(
            (value.decode("latin-1") for name, value in response.headers if name.lower() == b"retry-after"), ""
        )
        return WebhookResponse(
            code=code,
            detail=_shown(f"{code} {_CONTROL.sub(' ', body.decode('utf-8', 'replace'))}"),
            retry_after=_retry_pause(retry, self.clock()),
        )

    def _new_pool(self, url: str) -> httpcore.AsyncConnectionPool:
        if self._tls is None and urlsplit(url).scheme == "https":  # reading the authorities takes long
            self._tls = trusting(self.limits.authorities, setting=AUTHORITIES)
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            proxy=_proxy(self.limits.proxy),
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=60.0,
            network_backend=BoundedNetwork(),
        )


def _proxy(url: str) -> httpcore.Proxy | None:
    if not url:
        return None
    parts = urlsplit(url)
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return httpcore.Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", auth=auth)


def _target(parts: SplitResult) -> bytes:
    """Return the path and the query."""
    given = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _TO_ENCODE.sub(lambda it: f"%{ord(it[0]):02X}", given).encode()


async def _beginning(response: httpcore.Response) -> bytes:
    """Return the first MAX_RESPONSE bytes of the body that arrive in BODY_SECONDS. Nothing is decompressed."""
    body = bytearray()
    with suppress(TimeoutError, *HTTP_ERRORS):  # the status counts, whatever follows it
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in response.aiter_stream():
                body += chunk[: MAX_RESPONSE - len(body)]
                if len(body) >= MAX_RESPONSE:
                    break
    return bytes(body)


def _retry_pause(retry_after: str, now: datetime) -> timedelta | None:
    """Return the pause of a header: a number of seconds, or a date (RFC 9110, section 10.2.3); None for other texts."""
    if _SECONDS.match(retry_after):
        return timedelta(seconds=int(retry_after[:9]))
    try:
        date = parsedate_to_datetime(retry_after[:64])
        return (date if date.tzinfo else date.replace(tzinfo=UTC)) - now  # one of C's asctime has no zone
    except (ValueError, OverflowError):
        return None


def _seen(lookup: "asyncio.Task[Sequence[str]]") -> None:
    """Retrieve the error of a lookup that was given up."""
    if not lookup.cancelled():
        lookup.exception()


def _problem(error: Exception) -> str:
    """Return what was wrong in a few words, without the URL and the receiver's text."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _shown(f"its certificate {certificate_problem(cause, authorities=AUTHORITIES)}")
    return _shown(f"{type(error).__name__}: {error}")


def _shown(text: str) -> str:
    return bounded(text)[:MAX_DETAIL].strip()
