"""The log's epochs in a list."""

from attrs import define, field

from ...application.event_log.records import RELAY
from ...application.recovery.epochs import Epoch, Epochs


@define(eq=False)
class MemoryEpochs:
    """``cursors`` are those of all readers."""

    cursors: dict[str, dict[int, int]]
    _epochs: Epochs = field(factory=Epochs, init=False)

    async def all(self) -> Epochs:
        return self._epochs

    async def begin(self, begun: Epoch) -> bool:
        if begun.epoch <= self._epochs.now:
            return False
        self._epochs = Epochs((*self._epochs.begun, begun))
        floor = self.cursors[RELAY]
        floor.update({bucket: kept for bucket, kept in begun.kept.items() if floor.get(bucket, 0) > kept})
        return True
