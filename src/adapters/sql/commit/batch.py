"""Write sets as rows, in the order in which all transactions lock them."""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

from attrs import field, frozen

from ....application.event_log.records import bucket_of
from ....application.orders.payment_attempts import FINAL
from ....application.orders.write_set import WriteSet
from ... import wire
from ...order_terms import OrderTerms
from .. import payment_attempts as payments
from ..event_log import order_events
from ..idempotency import idempotency_keys
from ..order_search import order_terms
from ..orders import CHANGING, changes_of, orders, row_of
from ..payment_attempts import payment_attempts
from ..types import Row, stored_time

KEY = [column.name for column in idempotency_keys.columns if column.name != "created_at"]
ORDER = [column.name for column in orders.columns]
CHANGE = ["id", *CHANGING, "expected"]
ATTEMPT = [column.name for column in payment_attempts.columns if column.name != "entry"]
_STATUS = ATTEMPT.index("status")
EVENT = [column.name for column in order_events.columns if column.name not in ("bucket", "position", "committed_at")]
TERM = [column.name for column in order_terms.columns]
NEW_EVENT = ["bucket", "ahead", *EVENT]


@frozen
class WriteBatch:
    """All rows of some write sets, which have no order and no key in common, each with the columns named above.

    Keys, orders, their terms and attempts are sorted, which prevents deadlocks. Changed orders have their expected
    version. ``events`` have their bucket, and ``ahead``: their number among this batch's events of the bucket, from 1.
    ``taken`` is the number of positions that the batch takes in each bucket, by ascending bucket.
    """

    keys: Sequence[Row]
    created: Sequence[Row]
    terms: Sequence[Row]
    changed: Sequence[Row]
    attempts: Sequence[Row]
    events: Sequence[Row] = field(repr=False)
    taken: dict[int, int]

    @property
    def decisions(self) -> Sequence[Row]:
        """The attempts about which a person has decided. They are refused if another person has before."""
        return [row for row in self.attempts if row[_STATUS] in FINAL]

    def __bool__(self) -> bool:
        return bool(self.keys or self.created or self.changed or self.attempts or self.events)

    @classmethod
    def of(cls, sets: Sequence[WriteSet], buckets: int, *, event_limit: int, terms: OrderTerms) -> "WriteBatch":
        """Build the batch. Raises EventTooLarge for an event of more than ``event_limit`` bytes."""
        created: list[Row] = []
        found: list[Row] = []
        changed: list[Row] = []
        for writes in sets:
            for order in writes.changed:
                if expected := writes.expected[order.id]:
                    changed.append((order.id, *changes_of(order), expected))
                else:
                    created.append(row_of(order))
                    found += [(order.id, term) for term in terms.of(order.annotations)]
        events, taken = _events(sets, buckets, event_limit)
        attempts = [payments.row_of(attempt) for writes in sets for attempt in writes.attempts.values()]
        by_first = itemgetter(0)
        return cls(
            keys=sorted(_keys(sets), key=itemgetter(0, 1)),
            created=sorted(created, key=by_first),
            terms=sorted(found),
            changed=sorted(changed, key=by_first),
            attempts=sorted(attempts, key=by_first),
            events=events,
            taken=dict(sorted(taken.items())),
        )


def _keys(sets: Sequence[WriteSet]) -> list[Row]:
    return [
        (it.caller, it.key, it.response.fingerprint, it.response.order_id, it.response.body)
        for writes in sets
        if (it := writes.idempotency) is not None
    ]


def _events(sets: Sequence[WriteSet], buckets: int, limit: int) -> tuple[list[Row], Counter[int]]:
    taken: Counter[int] = Counter()
    rows: list[Row] = []
    for writes in sets:
        request = writes.request
        requested_at = None if request.requested_at is None else stored_time(request.requested_at)
        for event in writes.events:
            bucket = bucket_of(event.order_id, buckets)
            taken[bucket] += 1
            record = wire.record(
                event,
                bucket=bucket,
                position=taken[bucket],
                correlation_id=request.correlation_id,
                traceparent=request.traceparent,
            )
            wire.check_size(event, record.body, limit)
            rows.append(
                (
                    bucket,
                    record.position,
                    record.order_id,
                    record.sequence,
                    record.type,
                    record.event_id,
                    stored_time(record.occurred_at),
                    record.body,
                    record.correlation_id,
                    record.traceparent,
                    requested_at,
                )
            )
    return rows, taken
