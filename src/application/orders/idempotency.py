"""A request with an idempotency key is done once and answered the same ever after."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from attrs import evolve, field, frozen

from ...domain.errors import InvalidInput, KeyReused, RequestAnswered, RequestRunning
from ...domain.order import Order
from ..request_context import IdempotencyKey, answering, current_request

if TYPE_CHECKING:
    pass


MAX_KEY = 255


@frozen
class StoredResponse:
    """What was answered to a request with an idempotency key."""

    fingerprint: str
    body: bytes
    order_id: str


class IdempotencyStore(Protocol):
    """Answers given to requests with an idempotency key."""

    async def find(self, caller: str, key: str) -> StoredResponse | None: ...

    async def delete_before(self, moment: datetime) -> int:
        """Drop answers older than ``moment``; how many."""
        ...


@frozen
class Idempotent:
    """Runs ``command`` under ``key``; the key is stored in the order's own transaction with the answer's bytes.

    A refused command stores nothing, so the same key may be asked again once it can succeed. Of two processes that
    race with one key, one commits and both give its answer. Raises RequestRunning (in this process, right now),
    KeyReused (the key came with another fingerprint), InvalidInput, and what ``command`` raises.
    """

    answers: IdempotencyStore
    _running: set[tuple[str, str]] = field(factory=set, init=False, eq=False)

    async def __call__(self, key: IdempotencyKey, command: Callable[[], Awaitable[Order]]) -> tuple[bytes, bool]:
        """The answer's bytes, and whether they were given before."""
        if not 1 <= len(key.key) <= MAX_KEY or not key.key.isprintable() or not key.key.isascii():
            raise InvalidInput("Idempotency-Key", f"{len(key.key)} characters", f"1 to {MAX_KEY} printable ASCII")
        if (stored := await self._stored(key)) is not None:
            return stored.body, True
        running = (key.caller, key.key)
        if running in self._running:
            raise RequestRunning(key.key)
        self._running.add(running)
        try:
            with answering(evolve(current_request(), idempotency=key)):
                return key.answer(await command()), False
        except RequestAnswered:
            if (stored := await self._stored(key)) is None:
                raise
            return stored.body, True
        finally:
            self._running.discard(running)

    async def _stored(self, key: IdempotencyKey) -> StoredResponse | None:
        stored = await self.answers.find(key.caller, key.key)
        if stored is not None and stored.fingerprint != key.fingerprint:
            raise KeyReused(key.key)
        return stored
