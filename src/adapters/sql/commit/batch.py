"""Write sets as rows, in the order in which all transactions lock them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from ....application.event_log.records import bucket_of
from ....application.orders.write_set import WriteSet
from ... import wire
from .. import payment_attempts as payments
from ..orders import row_of


@frozen
class Expected:
    """An order's row and its expected version; 0 if the order must not exist."""

    row: dict[str, Any]
    version: int

    @property
    def order_id(self) -> str:
        return str(self.row["id"])


@frozen
class WriteBatch:
    """All rows of some write sets, which have no order and no key in common.

    Keys, orders and attempts are sorted, which prevents deadlocks.
    ``events`` have their bucket, and ``ahead``: their number among this batch's events of the bucket, from 1.
    ``taken`` is the number of positions that the batch takes in each bucket, by ascending bucket.
    """

    keys: Sequence[dict[str, Any]]
    created: Sequence[Expected]
    changed: Sequence[Expected]
    attempts: Sequence[dict[str, Any]]
    events: Sequence[dict[str, Any]] = field(repr=False)
    taken: dict[int, int]

    def __bool__(self) -> bool:
        return bool(self.keys or self.created or self.changed or self.attempts or self.events)

    @classmethod
    def of(cls, sets: Sequence[WriteSet], buckets: int, *, event_limit: int) -> "WriteBatch":
        """Build the batch. Raises EventTooLarge for an event of more than ``event_limit`` bytes."""
        orders = sorted(
            (Expected(row_of(order), writes.expected[order.id]) for writes in sets for order in writes.changed),
            key=lambda order: order.order_id,
        )
        events, taken = _events(sets, buckets, event_limit)
        return cls(
            keys=sorted(_keys(sets), key=lambda key: (key["caller"], key["key"])),
            created=[order for order in orders if order.version == 0],
            changed=[order for order in orders if order.version != 0],
            attempts=sorted(
                (payments.row_of(attempt) for writes in sets for attempt in writes.attempts.values()),
                key=lambda attempt: str(attempt["key"]),
            ),
            events=events,
            taken=dict(sorted(taken.items())),
        )


def _keys(sets: Sequence[WriteSet]) -> list[dict[str, Any]]:
    return [
        {
            "caller": it.caller,
            "key": it.key,
            "fingerprint": it.response.fingerprint,
            "order_id": it.response.order_id,
            "response": it.response.body,
        }
        for writes in sets
        if (it := writes.idempotency) is not None
    ]


def _events(sets: Sequence[WriteSet], buckets: int, limit: int) -> tuple[list[dict[str, Any]], Counter[int]]:
    taken: Counter[int] = Counter()
    rows = []
    for writes in sets:
        for event in writes.events:
            bucket, body = bucket_of(event.order_id, buckets), wire.encode(event)
            wire.check_size(event, body, limit)
            taken[bucket] += 1
            rows.append(
                {
                    "bucket": bucket,
                    "ahead": taken[bucket],
                    "order_id": event.order_id,
                    "sequence": event.sequence,
                    "type": event.type,
                    "event_id": event.id,
                    "occurred_at": event.occurred_at,
                    "body": body,
                    "correlation_id": writes.request.correlation_id,
                    "traceparent": writes.request.traceparent,
                    "requested_at": writes.request.requested_at,
                }
            )
    return rows, taken
