"""Looks at everything at once, and waits for nobody longer than it has patience."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from attrs import evolve, frozen

from ...domain.errors import InvalidInput, OrderFlowError
from ..auth import Tokens
from ..clock import Clock
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import EventLog
from ..recovery.epochs import LogEpochs
from ..rollout.rollout import Rollout
from .facts import (
    ConnectionFailure,
    DatabaseFacts,
    DatabaseHealth,
    FailureReason,
    MailFacts,
    MailHealth,
    StreamFacts,
    StreamHealth,
)
from .lag import Lag
from .observation import Observation, ParkedOrder
from .processes import ProcessRegistry

PATIENCE = 4.0
"""Seconds that each thing asked has to answer."""
LATEST = 5
"""How many of the latest failures are looked at."""
DATABASE, STREAM, MAIL = "database", "kafka", "mail"

T = TypeVar("T")
logger = logging.getLogger("orderflow.installation")


class Openable(Protocol):
    """The storage, which may be away when the look begins."""

    async def open(self) -> None:
        """Raises NotConfigured, StorageUnavailable."""
        ...


@frozen(kw_only=True)
class Observe:
    """Raises nothing for what does not answer. ``lag`` can be made once the storage is open.

    A look takes at most a few times ``patience``, in seconds, whatever stands still.
    """

    database: DatabaseHealth
    stream: StreamHealth | None
    storage: Openable
    log: EventLog
    processes: ProcessRegistry
    tokens: Tokens
    rollout: Rollout
    epochs: LogEpochs
    dead_letters: DeadLetters
    lag: Callable[[], Lag]
    clock: Clock
    mail: MailHealth | None = None
    patience: float = PATIENCE

    async def __call__(self, *, thorough: bool = False) -> Observation:
        """``thorough``: ask Kafka for its time as well, which takes a commit of its own, and the mail server."""
        database, stream, mail = await asyncio.gather(self._database(), self._stream(thorough), self._mail(thorough))
        servers = {DATABASE: database, STREAM: stream, MAIL: mail}
        unanswered = {name: str(there) for name, there in servers.items() if isinstance(there, ConnectionFailure)}
        look = Observation(at=self.clock(), database=database, stream=stream, mail=mail, unanswered=unanswered)
        if isinstance(database, ConnectionFailure):
            return look
        if not database.current:
            told = f"the schema is at {database.schema or 'nothing'}, wanted is {database.newest}"
            return evolve(look, unanswered={**unanswered, "schema": f"{told}; see `orderflow doctor`"})
        return await self._inside(look)

    async def _inside(self, look: Observation) -> Observation:
        """What stands in the database, each asked for by itself."""
        opened = await self._asked(self.storage.open())
        if isinstance(opened, ConnectionFailure):
            return evolve(look, unanswered={**look.unanswered, "storage": str(opened)})
        asked: dict[str, Awaitable[Any]] = {
            "processes": self.processes.seen(),
            "head": self._head(),
            "readers": self.lag()(),
            "waiting": self._waiting(look),
            "parked": self.dead_letters.parked(),
            "latest": self._latest(),
            "rollout": self.rollout.current_rollout(),
            "epochs": self.epochs.all(),
            "tokens": self.tokens.any(),
        }
        answers = dict(zip(asked, await asyncio.gather(*map(self._asked, asked.values())), strict=True))
        missing = {name: str(answer) for name, answer in answers.items() if isinstance(answer, ConnectionFailure)}
        seen: dict[str, Any] = {name: answer for name, answer in answers.items() if name not in missing}
        return evolve(look, unanswered={**look.unanswered, **missing}, **seen)

    async def _head(self) -> int:
        return sum((await self.log.heads()).values())

    async def _waiting(self, look: Observation) -> dict[str, float]:
        oldest = await self.lag().oldest()
        return {reader: max(0.0, (look.at - at).total_seconds()) for reader, at in oldest.items()}

    async def _latest(self) -> list[ParkedOrder]:
        return [
            ParkedOrder(
                consumer=letter.consumer,
                order_id=letter.record.order_id,
                error=letter.error,
                at=letter.last_failed_at,
            )
            for letter in await self.dead_letters.latest(LATEST)
        ]

    async def _database(self) -> DatabaseFacts | ConnectionFailure:
        return await self._asked(self.database.look())

    async def _stream(self, clocks: bool) -> StreamFacts | ConnectionFailure | None:
        return None if self.stream is None else await self._asked(self.stream.look(clock=clocks))

    async def _mail(self, wanted: bool) -> MailFacts | ConnectionFailure | None:
        return await self._asked(self.mail.look()) if wanted and self.mail is not None else None

    async def _asked(self, asked: Awaitable[T]) -> T | ConnectionFailure:
        """The answer, or why there is none."""
        try:
            return await asyncio.wait_for(asked, self.patience)
        except TimeoutError:
            return ConnectionFailure(FailureReason.TIMEOUT, f"nothing within {self.patience:g} s")
        except InvalidInput as error:
            return ConnectionFailure(FailureReason.SETTING, str(error))
        except OrderFlowError as error:
            return ConnectionFailure(FailureReason.OTHER, str(error))
        except Exception as error:
            logger.warning("a look failed", exc_info=error)
            return ConnectionFailure(FailureReason.OTHER, f"{type(error).__name__}; the log has more")
