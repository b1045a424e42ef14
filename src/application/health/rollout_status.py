"""The state of the rollout: what is published, what is held back, and which consumers are paused."""

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
    """One consumer: ``paused`` is the note of its pause, ``events`` are to come, ``held`` more are held back."""

    consumer: str
    paused: OperatorNote | None
    events: int
    held: int


@frozen(kw_only=True)
class RolloutProgress:
    """The orders of the first ``published_buckets`` of all ``buckets`` are published; ``set`` is the note on that.

    ``waiting`` events of theirs are not on the topic yet, ``held`` events of other orders are held back; both are None
    without a relay.
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
    """Reads the state of the rollout. Raises StorageUnavailable."""

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
