"""The log's epochs in a list."""

from attrs import define, field

from ...application.event_log.records import RELAY
from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.recovery.epochs import Epoch, Epochs


@define(eq=False)
class MemoryEpochs:
    """The epochs; ``cursors`` are those of all readers."""

    cursors: dict[str, dict[int, int]]
    _maintenance_log: list[MaintenanceEntry]
    _epochs: Epochs = field(factory=Epochs, init=False)

    async def all(self) -> Epochs:
        return self._epochs

    async def begin(self, epoch: Epoch) -> bool:
        before = self._epochs.now
        if epoch.epoch <= before:
            return False
        self._epochs = Epochs((*self._epochs.begun, epoch))
        self._maintenance_log.append(
            MaintenanceEntry(kind=MaintenanceKind.EPOCH, note=epoch.note, before=before, after=epoch.epoch)
        )
        floor = self.cursors[RELAY]
        floor.update({bucket: kept for bucket, kept in epoch.kept.items() if floor.get(bucket, 0) > kept})
        return True
