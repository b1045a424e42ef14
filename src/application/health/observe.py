"""Observes an installation: reads all facts at once, with a time limit for each."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from attrs import evolve, frozen

from ...domain.actor import Role
from ...domain.errors import InvalidInput, OrderFlowError
from ..auth import Tokens
from ..clock import Clock
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import EventLog
from ..notifications.ports import Notifications
from ..orders.ports import PaymentAttempts
from ..prices.ports import PriceLists
from ..recovery.epochs import LogEpochs
from ..rollout.rollout import Rollout
from ..webhooks.ports import Webhooks
from .facts import (
    ENCODING,
    CertificateHealth,
    ConnectionFailure,
    DatabaseHealth,
    FailureReason,
    IdentityHealth,
    MailHealth,
    StreamHealth,
)
from .lag import Lag
from .observation import Observation, ParkedOrder
from .processes import ProcessRegistry

PATIENCE = 10.0
"""Seconds that each query may take."""
LATEST = 5
"""The number of the latest parked orders that are read."""
DATABASE, STREAM, MAIL = "database", "kafka", "mail"

T = TypeVar("T")
logger = logging.getLogger("orderflow.installation")


class Openable(Protocol):
    """Opens the storage, which may be unavailable."""

    async def open(self) -> None:
        """Open it. Raises NotConfigured, StorageUnavailable."""
        ...


@frozen(kw_only=True)
class Observe:
    """Reads the facts of an installation. Raises nothing if a server does not answer.

    It takes at most a few times ``patience``, in seconds. ``lag`` is called after the storage was opened.
    """

    database: DatabaseHealth
    stream: StreamHealth | None
    storage: Openable
    log: EventLog
    processes: ProcessRegistry
    tokens: Tokens
    prices: PriceLists
    rollout: Rollout
    epochs: LogEpochs
    dead_letters: DeadLetters
    payments: PaymentAttempts
    notifications: Notifications
    webhooks: Webhooks
    lag: Callable[[], Lag]
    clock: Clock
    mail: MailHealth | None = None
    certificate: CertificateHealth | None = None
    identity: IdentityHealth | None = None
    patience: float = PATIENCE

    async def __call__(self, *, thorough: bool = False) -> Observation:
        """Observe.

        ``thorough`` includes mail server, certificate, OpenID provider, and Kafka's time, which takes a commit.
        """
        database, stream, mail, certificate, identity = await asyncio.gather(
            self._result(self.database.facts()),
            self._optional(partial(self.stream.facts, clock=thorough) if self.stream else None),
            self._optional(self.mail.failure if self.mail and thorough else None),
            self._optional(self.certificate.facts if self.certificate and thorough else None),
            self._optional(self.identity.check if self.identity and thorough else None),
        )
        servers = {DATABASE: database, STREAM: stream, MAIL: mail}
        unanswered = {name: str(there) for name, there in servers.items() if isinstance(there, ConnectionFailure)}
        observation = Observation(
            at=self.clock(),
            database=database,
            stream=stream,
            mail=mail,
            certificate=certificate,
            identity=identity,
            unanswered=unanswered,
        )
        if isinstance(database, ConnectionFailure):
            return observation
        if not database.current:
            problem = f"the schema is at {database.schema or 'nothing'}, this program needs {database.newest}"
            return evolve(observation, unanswered={**unanswered, "schema": f"{problem}; see `orderflow doctor`"})
        if database.encoding != ENCODING:
            problem = f"the database's encoding is {database.encoding}, not {ENCODING}; see `orderflow doctor`"
            return evolve(observation, unanswered={**unanswered, "encoding": problem})
        return await self._with_contents(observation)

    async def _with_contents(self, before: Observation) -> Observation:
        """Add the contents of the database, each read by its own query."""
        opened = await self._result(self.storage.open())
        if isinstance(opened, ConnectionFailure):
            return evolve(before, unanswered={**before.unanswered, "storage": str(opened)})
        queries: dict[str, Awaitable[Any]] = {
            "processes": self.processes.all(),
            "head": self._head(),
            "readers": self.lag()(),
            "waiting": self._waiting(before.at),
            "parked": self.dead_letters.parked(),
            "latest": self._latest(),
            "rollout": self.rollout.current_rollout(),
            "epochs": self.epochs.all(),
            "tokens": self.tokens.any(),
            "customer_tokens": self.tokens.any_valid(Role.CUSTOMER),
            "prices": self.prices.any(),
            "payments": self.payments.outstanding(before.at),
            "notifications": self.notifications.backlog(),
            "webhooks": self.webhooks.summary(),
        }
        answers = dict(zip(queries, await asyncio.gather(*map(self._result, queries.values())), strict=True))
        missing = {name: str(answer) for name, answer in answers.items() if isinstance(answer, ConnectionFailure)}
        facts: dict[str, Any] = {name: answer for name, answer in answers.items() if name not in missing}
        return evolve(before, unanswered={**before.unanswered, **missing}, **facts)

    async def _head(self) -> int:
        return sum((await self.log.heads()).values())

    async def _waiting(self, now: datetime) -> dict[str, float]:
        oldest = await self.lag().oldest()
        return {reader: max(0.0, (now - at).total_seconds()) for reader, at in oldest.items()}

    async def _latest(self) -> list[ParkedOrder]:
        return [
            ParkedOrder(
                consumer=dead_letter.consumer,
                order_id=dead_letter.record.order_id,
                error=dead_letter.error,
                at=dead_letter.last_failed_at,
            )
            for dead_letter in await self.dead_letters.latest(LATEST)
        ]

    async def _optional(self, query: Callable[[], Awaitable[T]] | None) -> T | ConnectionFailure | None:
        """Return the answer of a server that there may not be, or that is not asked."""
        return None if query is None else await self._result(query())

    async def _result(self, query: Awaitable[T]) -> T | ConnectionFailure:
        """Return the answer, or the reason why there is none."""
        try:
            async with asyncio.timeout(self.patience):
                return await query
        except TimeoutError:
            return ConnectionFailure(FailureReason.TIMEOUT, f"nothing within {self.patience:g} s")
        except InvalidInput as error:
            return ConnectionFailure(FailureReason.SETTING, str(error))
        except OrderFlowError as error:
            return ConnectionFailure(FailureReason.OTHER, str(error))
        except Exception as error:
            logger.warning("a query of the observation failed", exc_info=error)
            return ConnectionFailure(FailureReason.OTHER, f"{type(error).__name__}; the log has more")
