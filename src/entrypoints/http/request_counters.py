"""The requests of each caller in a second, counted in this process or, for several processes, in Redis."""

import asyncio
import logging
from time import monotonic
from typing import Any, Protocol, cast

from attrs import define, field
from limits.aio.storage import MemoryStorage
from limits.aio.storage import RedisStorage as LimitsStorage
from limits.errors import ConfigurationError, StorageError

from ...domain.errors import NotConfigured

RESPONSE_SECONDS = 0.1
"""The time that Redis has for a response."""
PAUSE_SECONDS = 5.0
"""The time after a failure for which Redis is not asked."""
CONNECTIONS = 16

logger = logging.getLogger("orderflow.http")


class Counters(Protocol):
    """Counts by key; a counter begins again after ``expiry`` seconds."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add ``amount``, and return the count."""
        ...


def shared_counters(url: str) -> Counters:
    """Return the counters in the Redis at ``url``. Raises NotConfigured without the extra ``redis``."""
    try:
        from redis.asyncio import BlockingConnectionPool

        pool: Any = BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=RESPONSE_SECONDS)
        return LimitsStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", connection_pool=pool)
    except (ModuleNotFoundError, ConfigurationError) as e:
        raise NotConfigured("limits that processes share need redis", "pip install 'orderflow-service[redis]'") from e
    except ValueError as e:
        raise NotConfigured("http_limits_url is no URL of a Redis", "redis://host:port or rediss://host:port") from e


@define(eq=False)
class RequestCounters:
    """Counts the requests of each caller in the current second, or in another time.

    With ``shared``, all processes that share it count together. While it fails, or does not respond within
    RESPONSE_SECONDS, each process counts for itself, so requests are neither refused nor unlimited; after a failure,
    it is asked again when PAUSE_SECONDS have passed.
    """

    shared: Counters | None = None
    _own: MemoryStorage = field(factory=MemoryStorage, init=False)
    _ask_from: float = field(default=0.0, init=False)

    async def count(self, key: str, amount: int = 1, *, seconds: int = 1) -> int:
        """Count ``amount`` requests, and return how many there have been in these ``seconds``."""
        if self.shared is not None and monotonic() >= self._ask_from:
            try:
                async with asyncio.timeout(RESPONSE_SECONDS):
                    return await self.shared.incr(key, seconds, amount)
            except (StorageError, TimeoutError) as error:
                if monotonic() >= self._ask_from:  # the first of several at the same time
                    self._ask_from = monotonic() + PAUSE_SECONDS
                    cause = error.storage_error if isinstance(error, StorageError) else "no response in time"
                    logger.warning("the shared limits are not available; each process counts for itself: %s", cause)
        return await self._own.incr(key, seconds, amount)

    async def close(self) -> None:
        """Close the connections."""
        if self.shared is not None:
            await cast("Any", self.shared).bridge.storage.aclose()
