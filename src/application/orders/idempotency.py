"""A request with an idempotency key is executed once; repeating it returns the first response."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from ...domain.errors import InvalidInput, KeyReused, RequestAnswered, RequestRunning
from ...domain.order import Order
from ...domain.text import shown

MAX_KEY = 255
DELETED_AT_ONCE = 1_000
"""Responses that one transaction deletes."""


@frozen
class StoredResponse:
    """The first response to a request with an idempotency key, as the entrypoint rendered it."""

    fingerprint: str
    body: bytes
    order_id: str


@frozen(kw_only=True)
class IdempotencyRecord:
    """A response that is stored under the key of its caller, in the transaction of the order that it shows."""

    caller: str
    key: str
    response: StoredResponse


@frozen(kw_only=True)
class IdempotencyKey:
    """The key of one request; use-cases hand it on to the unit of work that changes the order.

    ``key`` is the caller's own, and ``fingerprint`` is a digest of the request. ``render`` makes the response from the
    saved order. It belongs to the entrypoint, which alone knows what it sends; the unit of work calls it before the
    commit, so that the storage is given bytes.
    """

    caller: str
    key: str
    fingerprint: str
    render: Callable[[Order], bytes] = field(repr=False, eq=False)

    def record(self, order: Order) -> IdempotencyRecord:
        """Return what is stored if the response shows ``order``."""
        return IdempotencyRecord(
            caller=self.caller,
            key=self.key,
            response=StoredResponse(fingerprint=self.fingerprint, body=self.render(order), order_id=order.id),
        )


class IdempotencyStore(Protocol):
    """The responses to requests with an idempotency key."""

    async def find(self, caller: str, key: str) -> StoredResponse | None: ...

    async def delete_before(self, moment: datetime) -> int:
        """Delete responses that were stored before ``moment`` by the storage's own clock; return how many.

        They are at most DELETED_AT_ONCE, in a short transaction: when it returns fewer, there are no more.
        """
        ...


@frozen
class Idempotent:
    """Runs ``command`` under a key, which the order's own transaction stores with the response.

    A refused command stores nothing, so the same key may be sent again once it can succeed. Of two processes that
    race with one key, one commits and both return its response. Raises RequestRunning (in this process, right now),
    KeyReused (the key came with another fingerprint), InvalidInput, and what ``command`` raises.
    """

    responses: IdempotencyStore
    _running: set[tuple[str, str]] = field(factory=set, init=False, eq=False)

    async def __call__(
        self, key: IdempotencyKey, command: Callable[[IdempotencyKey], Awaitable[Order]]
    ) -> tuple[bytes, bool]:
        """Return the response, and whether it is a repetition of the first one."""
        if not 1 <= len(key.key) <= MAX_KEY or not key.key.isprintable() or not key.key.isascii():
            raise InvalidInput("Idempotency-Key", f"{shown(key.key)} is no key", f"1 to {MAX_KEY} printable ASCII")
        if (stored := await self._stored(key)) is not None:
            return stored.body, True
        running = (key.caller, key.key)
        if running in self._running:
            raise RequestRunning(key.key)
        self._running.add(running)
        try:
            return key.render(await command(key)), False
        except RequestAnswered:
            if (stored := await self._stored(key)) is None:
                raise
            return stored.body, True
        finally:
            self._running.discard(running)

    async def _stored(self, key: IdempotencyKey) -> StoredResponse | None:
        stored = await self.responses.find(key.caller, key.key)
        if stored is not None and stored.fingerprint != key.fingerprint:
            raise KeyReused(key.key)
        return stored
