"""The topic as a relay writes it: an exactly-once process in the sense of KIP-447.

Kafka does the coordinating. Relays form a consumer group on the topic itself; a partition that is assigned means the
buckets ``bucket % partitions``. A batch and the new cursors of its buckets, in the metadata of the group's committed
offset, are one transaction, and the group's generation fences a relay that has lost its partitions.

When a topic grows, buckets move to other partitions, and two relays must not share them out by different numbers
in the same generation. So every partition's note names the number that its relay goes by; a relay first seals its
partitions with the number it sees, and publishes only when all partitions are sealed with that number.
"""

from collections.abc import Mapping, Sequence

from attrs import define, evolve, field, frozen

from ....application.event_log.records import BUCKETS, LogRecord, checksum_of
from ....application.recovery.epochs import BEGINNING, Epochs
from ....application.relay.ports import OnFlushed, noop
from ....domain.errors import LogGap, StreamUnavailable
from ..client import BACKEND, OneThread
from ..settings import KafkaSettings
from .consumer_group import RelayGroup
from .offset_metadata import OffsetMetadata
from .transactional_producer import RelayProducer

READER = "relay"
_WAIT = 0.1


@frozen
class GenerationState:
    """What this relay knows in one generation of its group. ``notes`` is what each own partition's will say."""

    generation: bytes
    own: frozenset[int]
    epochs: Epochs
    partitions: int
    notes: dict[int, OffsetMetadata]
    cursors: dict[int, int | None]

    def marks(self) -> Mapping[int, int]:
        """Of the own buckets; a note may still tell of others, from before the topic had grown."""
        told = ((p, bucket, mark) for p, note in self.notes.items() for bucket, mark in note.marks.items())
        return {bucket: mark for partition, bucket, mark in told if bucket % self.partitions == partition}

    def stale(self, generation: bytes, own: frozenset[int], epochs: Epochs) -> bool:
        """Whether what it knows is not so any more."""
        return (self.generation, self.own) != (generation, own) or self.epochs.now != epochs.now


@define(eq=False)
class KafkaRelayTopic:
    """One relay. Records say the epoch that ``cursors`` was given last.

    ``timeout`` bounds, in seconds, each thing that is asked of Kafka.
    """

    settings: KafkaSettings
    buckets: int = BUCKETS
    timeout: float = 10.0
    _thread: OneThread = field(factory=lambda: OneThread("relay"), init=False)
    _group: RelayGroup | None = field(default=None, init=False)
    _producer: RelayProducer = field(init=False)
    _term: GenerationState | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._producer = RelayProducer(self.settings, self.timeout)

    @property
    def partitions(self) -> tuple[int, ...]:
        """Those that are this relay's now, as far as it has found out."""
        term = self._term
        return tuple(sorted(term.own)) if term is not None else ()

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        """The buckets that are this relay's now. Serves the group's rebalances, so it has to be called regularly."""
        return await self._thread(self._cursors, epochs)

    async def marks(self) -> Mapping[int, int]:
        """By bucket the mark of the event at the cursor, where it was noted."""
        term = self._term
        return term.marks() if term is not None else {}

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        """``records`` stand on the topic once, in order, and the cursors have moved with them.

        Raises StreamUnavailable; LogGap for a record that does not follow its bucket's cursor.
        """
        if records:
            await self._thread(self._publish, records, on_flushed)

    async def close(self) -> None:
        """Leave the group, so that the others take over at once."""
        await self._thread(self._leave)
        self._thread.close()

    # All below runs on the one thread.

    def _cursors(self, epochs: Epochs) -> Mapping[int, int | None]:
        if self._group is None:
            self._group = RelayGroup.join(self.settings, buckets=self.buckets, timeout=self.timeout)
        self._producer.serve()
        own = self._group.serve(0.0 if self._term is not None else _WAIT)
        generation = self._group.generation()
        if self._term is None or self._term.stale(generation, own, epochs):
            self._term = None
            self._term = self._begin(self._group, generation, own, epochs)
        return dict(self._term.cursors) if self._term is not None else {}

    def _begin(
        self, group: RelayGroup, generation: bytes, own: frozenset[int], epochs: Epochs
    ) -> GenerationState | None:
        """The term of this generation; None while it cannot begin. Raises LogBehindTopic for notes of a later epoch.

        The generation was taken before anything is read: what a later one changes, publishing finds out.
        """
        partitions = group.partitions()
        if not own:
            return None
        notes = _standing(group.notes(own), epochs)
        known = all(note and note.published and note.partitions == partitions for note in notes.values())
        if not known and not self._agreed(group, generation, notes, partitions, epochs):
            return None
        reached: dict[int, tuple[int, int | None]] = {}
        for note in notes.values():
            for bucket, position in note.positions.items() if note else ():
                if bucket not in reached or position > reached[bucket][0]:
                    reached[bucket] = position, note.marks.get(bucket) if note else None
        cursors = {b: reached[b][0] if b in reached else None for b in range(self.buckets) if b % partitions in own}
        kept = {partition: note for partition, note in notes.items() if note and partition in own}
        for bucket in cursors.keys() & reached.keys():
            partition = bucket % partitions
            kept[partition] = _moved_on(kept[partition], {bucket: reached[bucket]})
        return GenerationState(generation, own, epochs, partitions, kept, cursors)

    def _agreed(
        self,
        group: RelayGroup,
        generation: bytes,
        notes: dict[int, OffsetMetadata | None],
        partitions: int,
        epochs: Epochs,
    ) -> bool:
        """Whether all relays share the buckets out by ``partitions``; own partitions are sealed with it first.

        ``notes`` become those of all partitions.
        """
        unsealed = [partition for partition, note in notes.items() if note is None or note.partitions < partitions]
        if unsealed:
            seals = {}
            for partition in unsealed:
                note = notes[partition] or OffsetMetadata(partitions, published=False, positions={}, epoch=epochs.now)
                seals[partition] = evolve(note, partitions=partitions, published=False)
            self._producer.publish((), self._texts(seals), generation, ends=group.ends(seals))
        notes.update(_standing(group.notes(range(partitions)), epochs))
        newest = max(note.partitions if note else 0 for note in notes.values())
        if newest > partitions:
            raise StreamUnavailable(
                BACKEND,
                f"topic {self.settings.topic!r} shows {partitions} partitions, and cursors were committed for {newest}",
            )
        return all(note is not None and note.partitions == partitions for note in notes.values())

    def _publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed) -> None:
        term, group = self._term, self._group
        if term is None or group is None or group.generation() != term.generation:
            self._term = None
            raise StreamUnavailable(BACKEND, "the relays' group has changed; the cursors have to be read again")
        moved = _moved(term.cursors, records)
        notes = {}
        for partition in {bucket % term.partitions for bucket in moved}:
            its = {
                b: (last.position, checksum_of(last.body))
                for b, last in moved.items()
                if b % term.partitions == partition
            }
            notes[partition] = evolve(_moved_on(term.notes[partition], its), published=True)
        self._term = None  # not known until it is published
        placed = [(record.bucket % term.partitions, record) for record in records]
        texts = self._texts(notes)
        self._producer.publish(placed, texts, term.generation, on_flushed, ends={}, epoch=term.epochs.now)
        term.notes.update(notes)
        term.cursors.update({bucket: last.position for bucket, last in moved.items()})
        self._term = term

    def _texts(self, notes: Mapping[int, OffsetMetadata]) -> Mapping[int, str]:
        return {partition: note.text(self.buckets) for partition, note in notes.items()}

    def _leave(self) -> None:
        self._term = None
        self._producer.close()
        if self._group is not None:
            self._group.leave()
            self._group = None


def _standing(notes: Mapping[int, OffsetMetadata | None], epochs: Epochs) -> dict[int, OffsetMetadata | None]:
    """What counts of these notes. Raises LogBehindTopic for one of a later epoch than the log's."""
    return {partition: note and note.standing(epochs) for partition, note in notes.items()}


def _moved_on(note: OffsetMetadata, its: Mapping[int, tuple[int, int | None]]) -> OffsetMetadata:
    """``note`` with the positions of these buckets, and the marks of the events there where they are known."""
    marks = {**note.marks, **{bucket: mark for bucket, (_, mark) in its.items() if mark is not None}}
    for bucket in (bucket for bucket, (_, mark) in its.items() if mark is None):
        marks.pop(bucket, None)
    return evolve(note, positions={**note.positions, **{b: at for b, (at, _) in its.items()}}, marks=marks)


def _moved(cursors: Mapping[int, int | None], records: Sequence[LogRecord]) -> dict[int, LogRecord]:
    """The last record of each bucket. Raises LogGap, and StreamUnavailable for a bucket of another relay."""
    moved: dict[int, LogRecord] = {}
    for record in records:
        bucket = record.bucket
        if bucket not in cursors:
            raise StreamUnavailable(BACKEND, f"bucket {bucket} is another relay's now")
        before = moved[bucket].position if bucket in moved else cursors[bucket]
        if before is not None and record.position != before + 1:
            raise LogGap(READER, bucket, before, record.position)
        moved[bucket] = record
    return moved
