"""Group commit: the write sets of many callers in one transaction."""

from collections.abc import Collection, Sequence

from attrs import define, field

from ...domain.errors import ConcurrentChange, Conflict, RequestAnswered, Unavailable
from .batching import Batcher, Batching, own
from .ports import GroupCommitter
from .write_set import WriteSet

Resource = tuple[str, ...]
Outcome = Exception | None


@define(eq=False)
class GroupCommit:
    """A committer that commits the write sets that wait in one transaction, and answers each caller for itself.

    A stale version or a taken idempotency key refuses one set; the others are committed without it. If a group fails
    as a whole, its halves are tried, so that an error reaches only the sets that cause it. An unavailable storage
    fails all sets of the group, because the outcome of its commit may be unknown.

    Of two sets that change one order or use one idempotency key, the second is refused as soon as the first is
    committed, without another transaction. Two sets that change one payment attempt are committed one after the other.
    """

    committer: GroupCommitter
    options: Batching = field(factory=Batching)
    _batcher: Batcher[WriteSet, None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._batcher = Batcher(self._commit_all, self.options)

    async def commit(self, writes: WriteSet) -> None:
        await self._batcher(writes)

    async def _commit_all(self, sets: Sequence[WriteSet]) -> Sequence[Outcome]:
        outcomes: dict[int, Outcome] = {}
        left = list(range(len(sets)))
        resources = [_resources(writes) for writes in sets]
        while left:
            group, overlapping = _disjoint(left, resources)
            outcomes.update(zip(group, await self._commit_disjoint([sets[n] for n in group]), strict=True))
            written = {resource for n in group if outcomes[n] is None for resource in resources[n]}
            left = []
            for n in overlapping:
                if (refusal := _overtaken(sets[n], written)) is not None:
                    outcomes[n] = refusal
                else:
                    left.append(n)
        return [outcomes[n] for n in range(len(sets))]

    async def _commit_disjoint(self, sets: Sequence[WriteSet]) -> list[Outcome]:
        try:
            refusals = await self.committer.commit_together(sets)
        except Unavailable as error:
            return [own(error) for _ in sets]
        except Exception as error:  # noqa: BLE001 (each caller gets its own)
            if len(sets) == 1:
                return [error]
            middle = len(sets) // 2
            return await self._commit_disjoint(sets[:middle]) + await self._commit_disjoint(sets[middle:])
        return await self._without_refused(sets, refusals)

    async def _without_refused(self, sets: Sequence[WriteSet], refusals: Sequence[Conflict | None]) -> list[Outcome]:
        """Commit again those that were not refused, if any was: then nothing has been written."""
        accepted = [writes for writes, refusal in zip(sets, refusals, strict=True) if refusal is None]
        if not accepted or len(accepted) == len(sets):
            return [*refusals]
        again = iter(await self._commit_disjoint(accepted))
        return [next(again) if refusal is None else refusal for refusal in refusals]


def _resources(writes: WriteSet) -> list[Resource]:
    """Return the orders, attempts and idempotency key that two sets of one transaction must not have in common."""
    resources: list[Resource] = [("order", order.id) for order in writes.changed]
    if writes.attempts:
        resources += [("attempt", attempt) for attempt in writes.attempts]
    if (key := writes.idempotency) is not None:
        resources.append(("key", key.caller, key.key))
    return resources


def _disjoint(numbers: Sequence[int], resources: Sequence[Collection[Resource]]) -> tuple[list[int], list[int]]:
    """Divide the sets into those that have nothing in common, and the later ones that overlap with an earlier one."""
    used: set[Resource] = set()
    group: list[int] = []
    overlapping: list[int] = []
    for n in numbers:
        (group if used.isdisjoint(resources[n]) else overlapping).append(n)
        used.update(resources[n])
    return group, overlapping


def _overtaken(writes: WriteSet, written: Collection[Resource]) -> Conflict | None:
    """Return the refusal of a set whose key or order another set has just written."""
    key = writes.idempotency
    if key is not None and ("key", key.caller, key.key) in written:
        return RequestAnswered(key.key)
    for order in writes.changed:
        if ("order", order.id) in written:
            return ConcurrentChange(order.id, writes.expected[order.id])
    return None
