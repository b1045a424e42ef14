"""How the rollout stands: what is published, what is held back, and which consumers stand still."""

from collections.abc import Sequence

from attrs import frozen

from ..event_log.records import RELAY
from ..maintenance.maintenance_log import MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from ..rollout.rollout import Rollout, RolloutState
from .lag import Lag


@frozen(kw_only=True)
class ConsumerRollout:
    """``paused`` says who paused it, when and why; ``events`` are to come to it, ``held`` are held back before it."""

    consumer: str
    paused: OperatorNote | None
    events: int
    held: int


@frozen(kw_only=True)
class RolloutProgress:
    """Published are the orders of ``published_buckets`` of all ``buckets``, from 0 on; ``set`` is who said so.

    ``waiting`` events of theirs are not on the topic yet, ``held`` ones of other orders are held back; both are None
    where no relay publishes.
    """

    percent: int
    published_buckets: int
    buckets: int
    set: OperatorNote | None
    waiting: int | None
    held: int | None
    consumers: Sequence[ConsumerRollout]


@frozen
class RolloutStatus:
    """Raises StorageUnavailable."""

    rollout: Rollout
    maintenance_log: MaintenanceLog
    lag: Lag

    async def __call__(self) -> RolloutProgress:
        current_rollout: RolloutState = await self.rollout.current_rollout()
        last = await self.maintenance_log.history(limit=1, kinds=[MaintenanceKind.SHARE])
        lags = {each.reader: each for each in await self.lag()}
        relay = lags.pop(RELAY, None)
        return RolloutProgress(
            percent=current_rollout.percent,
            published_buckets=current_rollout.published_buckets(self.lag.buckets),
            buckets=self.lag.buckets,
            set=last[0].note if last else None,
            waiting=relay.events if relay else None,
            held=relay.held if relay else None,
            consumers=[
                ConsumerRollout(
                    consumer=name, paused=current_rollout.paused.get(name), events=each.events, held=each.held
                )
                for name, each in lags.items()
            ],
        )
