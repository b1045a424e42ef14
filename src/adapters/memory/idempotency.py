"""The stored responses of requests with an idempotency key, in memory."""

from datetime import datetime

from attrs import field, frozen

from ...application.orders.idempotency import DELETED_AT_ONCE, StoredResponse


@frozen
class MemoryIdempotencyStore:
    responses: dict[tuple[str, str], tuple[StoredResponse, datetime]] = field(factory=dict, init=False)

    async def find(self, caller: str, key: str) -> StoredResponse | None:
        stored = self.responses.get((caller, key))
        return stored[0] if stored else None

    async def delete_before(self, moment: datetime) -> int:
        old = [key for key, (_, at) in self.responses.items() if at < moment][:DELETED_AT_ONCE]
        for key in old:
            del self.responses[key]
        return len(old)
