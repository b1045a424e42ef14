"""Publishes to the topic exactly once, with transactions as in KIP-447.

Kafka coordinates the relays. They form a consumer group on the topic itself. A relay that is assigned a partition
publishes the buckets with ``bucket % partitions`` equal to it. A batch and the new cursors of its buckets are one
transaction. The cursors are in the metadata of the group's committed offset. The generation of the group fences a
relay that has lost its partitions.

If the topic grows, buckets move to other partitions, and two relays must not distribute them by different numbers of
partitions in the same generation. So the metadata of every partition contains the number that its relay uses. A
relay first seals its partitions with the number that it reads, and publishes after all partitions are sealed with it.
"""

from collections.abc import Mapping, Sequence

from attrs import define, evolve, field, frozen

from ....application.event_log.records import BUCKETS, RELAY, LogRecord, checksum_of
from ....application.noop import noop
from ....application.recovery.epochs import BEGINNING, Epochs
from ....application.relay.ports import OnFlushed
from ....domain.errors import LogGap, StreamUnavailable
from ..client import BACKEND, OneThread
from ..settings import KafkaSettings
from .consumer_group import RelayGroup
from .offset_metadata import OffsetMetadata
from .transactional_producer import RelayProducer

_JOIN_SECONDS = 0.1


@frozen
class GenerationState:
    """The state of this relay in one generation of its group. ``metadata`` is that of each assigned partition."""

    generation: bytes
    assigned: frozenset[int]
    epochs: Epochs
    partitions: int
    metadata: dict[int, OffsetMetadata]
    cursors: dict[int, int | None]

    def checksums(self) -> Mapping[int, int]:
        """Return the checksums of the assigned buckets. Metadata may contain others, from before the topic grew."""
        every = (
            (p, bucket, checksum) for p, each in self.metadata.items() for bucket, checksum in each.checksums.items()
        )
        return {bucket: checksum for partition, bucket, checksum in every if bucket % self.partitions == partition}

    def is_stale(self, generation: bytes, assigned: frozenset[int], epochs: Epochs) -> bool:
        """Return whether the generation, the assignment or the epoch has changed."""
        return (self.generation, self.assigned) != (generation, assigned) or self.epochs.now != epochs.now


@define(eq=False)
class KafkaRelayTopic:
    """One relay. Its records have the epoch with which ``cursors`` was called last.

    ``timeout`` limits each request to Kafka, in seconds.
    """

    settings: KafkaSettings
    buckets: int = BUCKETS
    timeout: float = 10.0
    _thread: OneThread = field(factory=lambda: OneThread("relay"), init=False)
    _group: RelayGroup | None = field(default=None, init=False)
    _producer: RelayProducer = field(init=False)
    _state: GenerationState | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._producer = RelayProducer(self.settings, self.timeout)

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that are assigned to this relay, as far as it knows."""
        state = self._state
        return tuple(sorted(state.assigned)) if state is not None else ()

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        """Return the cursors of the assigned buckets. Takes part in rebalances, so it must be called regularly."""
        return await self._thread(self._cursors, epochs)

    async def checksums(self) -> Mapping[int, int]:
        """Return the checksum of the event at the cursor of each bucket, if it is known."""
        state = self._state
        return state.checksums() if state is not None else {}

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        """Publish ``records`` once and in order, and advance the cursors, in one transaction.

        Raises StreamUnavailable; LogGap for a record that does not follow its bucket's cursor.
        """
        if records:
            await self._thread(self._publish, records, on_flushed)

    async def close(self) -> None:
        """Leave the group, so that the partitions are reassigned immediately."""
        await self._thread(self._leave)
        self._thread.close()

    # The methods below run on the thread.

    def _cursors(self, epochs: Epochs) -> Mapping[int, int | None]:
        if self._group is not None and self._group.lost:
            self._leave()
        if self._group is None:
            self._group = RelayGroup.join(self.settings, buckets=self.buckets, timeout=self.timeout)
        self._producer.poll()
        assigned = self._group.poll(0.0 if self._state is not None else _JOIN_SECONDS)
        generation = self._group.generation()
        if self._state is None or self._state.is_stale(generation, assigned, epochs):
            self._state = None
            self._state = self._begin(self._group, generation, assigned, epochs)
        return dict(self._state.cursors) if self._state is not None else {}

    def _begin(
        self, group: RelayGroup, generation: bytes, assigned: frozenset[int], epochs: Epochs
    ) -> GenerationState | None:
        """Return the state of this generation, or None if it cannot begin yet.

        The generation was read before everything else, so publishing fails if a later one changes any of it. Raises
        LogBehindTopic for metadata of a later epoch.
        """
        partitions = group.partitions()
        if not assigned:
            return None
        metadata = _effective(group.committed_metadata(assigned), epochs)
        is_current = all(entry and entry.published and entry.partitions == partitions for entry in metadata.values())
        if not is_current and not self._agree(group, generation, metadata, partitions, epochs):
            return None
        reached: dict[int, tuple[int, int | None]] = {}
        for entry in metadata.values():
            for bucket, position in entry.positions.items() if entry else ():
                if bucket not in reached or position > reached[bucket][0]:
                    reached[bucket] = position, entry.checksums.get(bucket) if entry else None
        cursors = {
            b: reached[b][0] if b in reached else None for b in range(self.buckets) if b % partitions in assigned
        }
        current = {partition: entry for partition, entry in metadata.items() if entry and partition in assigned}
        for bucket in cursors.keys() & reached.keys():
            partition = bucket % partitions
            current[partition] = _advanced(current[partition], {bucket: reached[bucket]})
        return GenerationState(generation, assigned, epochs, partitions, current, cursors)

    def _agree(
        self,
        group: RelayGroup,
        generation: bytes,
        metadata: dict[int, OffsetMetadata | None],
        partitions: int,
        epochs: Epochs,
    ) -> bool:
        """Seal the assigned partitions, and return whether all relays distribute the buckets by ``partitions``.

        ``metadata`` is extended to all partitions.
        """
        unsealed = [
            partition for partition, entry in metadata.items() if entry is None or entry.partitions < partitions
        ]
        if unsealed:
            seals = {}
            for partition in unsealed:
                entry = metadata[partition] or OffsetMetadata(
                    partitions, published=False, positions={}, epoch=epochs.now
                )
                seals[partition] = evolve(entry, partitions=partitions, published=False)
            self._producer.publish(
                (), self._serialize(seals), generation, partitions=partitions, ends=group.ends(seals)
            )
        metadata.update(_effective(group.committed_metadata(range(partitions)), epochs))
        newest = max(entry.partitions if entry else 0 for entry in metadata.values())
        if newest > partitions:
            raise StreamUnavailable(
                BACKEND,
                f"topic {self.settings.topic!r} shows {partitions} partitions, and cursors were committed for {newest}",
            )
        return all(entry is not None and entry.partitions == partitions for entry in metadata.values())

    def _publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed) -> None:
        state, group = self._state, self._group
        if state is None or group is None or group.generation() != state.generation:
            self._state = None
            raise StreamUnavailable(BACKEND, "the relays' group has changed; the cursors must be read again")
        last_records = _last_records(state.cursors, records)
        metadata = {}
        for partition in {bucket % state.partitions for bucket in last_records}:
            reached = {
                b: (record.position, checksum_of(record.body))
                for b, record in last_records.items()
                if b % state.partitions == partition
            }
            metadata[partition] = evolve(_advanced(state.metadata[partition], reached), published=True)
        self._state = None  # unknown until the transaction has ended
        texts = self._serialize(metadata)
        partitions, epoch = state.partitions, state.epochs.now
        self._producer.publish(records, texts, state.generation, on_flushed, partitions=partitions, epoch=epoch)
        state.metadata.update(metadata)
        state.cursors.update({bucket: record.position for bucket, record in last_records.items()})
        self._state = state

    def _serialize(self, metadata: Mapping[int, OffsetMetadata]) -> Mapping[int, str]:
        return {partition: entry.serialize(self.buckets) for partition, entry in metadata.items()}

    def _leave(self) -> None:
        self._state = None
        self._producer.close()
        if self._group is not None:
            self._group.leave()
            self._group = None


def _effective(metadata: Mapping[int, OffsetMetadata | None], epochs: Epochs) -> dict[int, OffsetMetadata | None]:
    """Return what is valid in the current epoch. Raises LogBehindTopic for metadata of a later epoch."""
    return {partition: entry and entry.effective(epochs) for partition, entry in metadata.items()}


def _advanced(entry: OffsetMetadata, reached: Mapping[int, tuple[int, int | None]]) -> OffsetMetadata:
    """Return ``entry`` with these positions, and the checksums of the events there if they are known."""
    checksums = {
        **entry.checksums,
        **{bucket: checksum for bucket, (_, checksum) in reached.items() if checksum is not None},
    }
    for bucket in (bucket for bucket, (_, checksum) in reached.items() if checksum is None):
        checksums.pop(bucket, None)
    return evolve(
        entry, positions={**entry.positions, **{b: at for b, (at, _) in reached.items()}}, checksums=checksums
    )


def _last_records(cursors: Mapping[int, int | None], records: Sequence[LogRecord]) -> dict[int, LogRecord]:
    """Return the last record of each bucket. Raises LogGap; StreamUnavailable for a bucket of another relay."""
    last_records: dict[int, LogRecord] = {}
    current, next_position = -1, 0
    for record in records:
        bucket, position = record.bucket, record.position
        if bucket != current:  # events of a bucket mostly follow each other
            if bucket not in cursors:
                raise StreamUnavailable(BACKEND, f"bucket {bucket} is assigned to another relay")
            before = last_records[bucket].position if bucket in last_records else cursors[bucket]
            current, next_position = bucket, position if before is None else before + 1
        if position != next_position:
            raise LogGap(RELAY, bucket, next_position - 1, position)
        next_position += 1
        last_records[bucket] = record
    return last_records
