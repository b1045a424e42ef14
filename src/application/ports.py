"""What the use-cases need from the world, as promises. One contract suite a port holds every adapter to them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ..domain.events import OrderEvent
from ..domain.lifecycle import Actor, OrderState
from ..domain.money import Money
from ..domain.order import Order
from .epochs import BEGINNING, Epochs
from .log import Address, CursorAt, EventTimes, Foreign, LogRecord, Origin, Place, Positions
from .payments import GatewayAnswer, PaymentAttempt
from .reading import Answer, OpenOrders, OrderPage, OrderQuery

if TYPE_CHECKING:
    from .write_set import WriteSet


class Clock(Protocol):
    def __call__(self) -> datetime:
        """The time now, aware, UTC."""
        ...


class NewId(Protocol):
    def __call__(self) -> str:
        """An identifier that nobody has had before (UUIDv7 where nothing else is asked for)."""
        ...


class OrderRepository(Protocol):
    """The orders of one unit of work."""

    async def get(self, order_id: str) -> Order:
        """The order as last committed. Raises OrderNotFound, StorageUnavailable."""
        ...

    def save(self, order: Order) -> None:
        """Keep ``order`` when the unit of work commits; refused there with ConcurrentChange when it is stale."""
        ...


class EventPublisher(Protocol):
    """The way of events out of one unit of work."""

    def publish(self, *events: OrderEvent) -> None:
        """Publish ``events`` in this order if, and only if, the unit of work commits."""
        ...


class PaymentBook(Protocol):
    def record(self, attempt: PaymentAttempt) -> None:
        """Keep ``attempt``, new or as it is now (by its key), when the unit of work commits."""
        ...


class Work(Protocol):
    """One unit of work in progress."""

    @property
    def orders(self) -> OrderRepository: ...

    @property
    def events(self) -> EventPublisher: ...

    @property
    def payments(self) -> PaymentBook: ...


class UnitOfWork(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Work]:
        """All that is saved and published inside commits together at its end, or not at all.

        Raises at the end: ConcurrentChange, KeyReused or RequestAnswered, EventTooLarge, StorageUnavailable.
        """
        ...


class Committer(Protocol):
    """The one place where write sets become durable."""

    async def commit(self, writes: "WriteSet") -> None:
        """Orders, events with their positions, attempts and the idempotency key: together, durably, or not at all.

        The idempotency key is taken first. Raises RequestAnswered (the key has an answer already),
        ConcurrentChange (an order is no longer at the version it was read at), EventTooLarge (an event has more
        bytes than Kafka takes, which is found out here and never when it is published), StorageUnavailable.
        """
        ...


class OrderViews(Protocol):
    """Reading, outside any unit of work."""

    async def get(self, order_id: str) -> Order:
        """Raises OrderNotFound, StorageUnavailable."""
        ...

    async def list(self, query: OrderQuery) -> OrderPage:
        """The orders that match, newest first, a page at a time. Raises InvalidInput for a cursor not of ours."""
        ...

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        """The orders that are not in a final state, by state; a state without any is not named.

        What it costs grows with them, not with the orders that have ended.
        """
        ...


class Answers(Protocol):
    """Answers given to requests with an idempotency key."""

    async def find(self, caller: str, key: str) -> Answer | None: ...

    async def forget_before(self, moment: datetime) -> int:
        """Drop answers older than ``moment``; how many."""
        ...


class PaymentAttempts(Protocol):
    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        """All attempts of an order, in the order they were asked."""
        ...

    async def unsettled_refunds(self, limit: int = 100) -> Sequence[PaymentAttempt]:
        """Refunds that were promised and whose outcome is not known yet, oldest first."""
        ...


class PaymentGateway(Protocol):
    """Moves money. The same key asked twice moves it once and answers the same."""

    async def authorize(self, *, card_token: str, amount: Money, key: str) -> GatewayAnswer:
        """Reserve ``amount`` on the card. Raises GatewayUnavailable when the outcome is not known."""
        ...

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayAnswer:
        """Take what was authorized. Raises GatewayUnavailable when the outcome is not known."""
        ...

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayAnswer:
        """Give back what was captured. Raises GatewayUnavailable when the outcome is not known."""
        ...


class EventLog(Protocol):
    """Reading the ordered log."""

    async def heads(self) -> Positions:
        """The last position of every bucket that has any; one look, however long the history."""
        ...

    async def read(self, after: Positions, *, limit: int) -> Sequence[LogRecord]:
        """Committed records of the buckets named in ``after``, each bucket's in order and without a gap.

        At most ``limit``; no bucket that has news starves another.
        """
        ...

    async def bodies(self, addresses: Collection[Address]) -> Mapping[Address, bytes]:
        """The bytes of the events at these addresses; one that the log does not have is left out."""
        ...

    async def since(self, moment: datetime) -> Positions:
        """In each bucket the first position whose event happened at ``moment`` or later; others are not named.

        What it costs grows with the log.
        """
        ...

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        """All records of one order by sequence; empty when there is no such order."""
        ...

    async def times(self, order_id: str) -> Sequence[EventTimes]:
        """When each event of one order was asked for and appended, by sequence."""
        ...


class Cursors(Protocol):
    """How far each reader of the log has come, a position per bucket."""

    async def positions(self, reader: str) -> Positions: ...

    async def put(self, reader: str, positions: Positions) -> None:
        """Note ``positions``; a bucket never goes back. Other buckets stay as they are."""
        ...

    async def readers(self) -> Sequence[str]: ...

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        """Where every reader that has come to ``bucket`` stands in it, and since when, by reader."""
        ...


class Wakeup(Protocol):
    """News of commits, here or in other processes, for those who would otherwise poll. Nobody rests on it."""

    def notify(self) -> None: ...

    async def wait(self, at_most: float) -> None:
        """Until notified since the last wait returned, or ``at_most`` seconds."""
        ...


HandedOver = Callable[[], object]


def nobody_waits() -> None:
    """It is the same to all when that was."""


class RelayTopic(Protocol):
    """The topic as a relay writes it: events and cursors move together or not at all."""

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        """The buckets that are this relay's now, with what counts of the committed position; None where there is none.

        What is published next is of the epoch that is now. Empty while nothing is assigned. Raises StreamUnavailable;
        LogBehindTopic where something was committed in a later epoch.
        """
        ...

    async def marks(self) -> Mapping[int, int]:
        """By bucket the mark of the event at the cursor that was told last, where it was committed with it."""
        ...

    async def publish(self, records: Sequence[LogRecord], handed_over: HandedOver = nobody_waits) -> None:
        """``records`` stand on the topic exactly once, in order, and the cursors have moved to their positions.

        ``handed_over`` is called, from any thread, when what is left is to wait for the topic's servers.
        Raises StreamUnavailable: then nothing was published as far as this relay may assume, and ``cursors`` tells
        what is true.
        """
        ...

    async def close(self) -> None: ...


class EventSource(Protocol):
    """Where a consumer's records come from: the topic, or the log itself."""

    async def read(self, limit: int) -> Sequence[LogRecord | Foreign]:
        """The next records, each bucket's in order; empty when there is no news after a short wait."""
        ...

    async def done(self) -> None:
        """All that was read is handled and committed."""
        ...

    async def rewind(self) -> None:
        """Read again from the committed cursors: what was read was not handled, or something is missing."""
        ...

    def origin(self, record: LogRecord) -> Origin | None:
        """Where ``record``, one of those that were read last, stands on a topic; None where it came of none."""
        ...

    async def stand_by(self) -> None:
        """Take nothing, and keep the place among other readers; to be called again and again while that lasts.

        The next ``read`` goes on where the last one ended. Raises StreamUnavailable.
        """
        ...

    async def close(self) -> None: ...


class Decode(Protocol):
    def __call__(self, record: LogRecord) -> OrderEvent:
        """The event that the record's bytes say. Raises UndecodableEvent."""
        ...


class TopicReader(Protocol):
    """The whole topic as any read-committed consumer sees it, for checks and for looking."""

    def scan(self) -> AbstractAsyncContextManager["TopicScan"]: ...


class TopicScan(Protocol):
    async def read(self, limit: int) -> Sequence[LogRecord | Foreign]:
        """The next records in partition order; empty when the end that stood when the scan began is reached."""
        ...


class TopicPlaces(Protocol):
    async def find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, Place]:
        """Where these events of one order stand on the topic, by event id; one that is not there is left out.

        ``since`` is for each the time before which it did not stand there. Raises StreamUnavailable.
        """
        ...


class Tokens(Protocol):
    """Bearer tokens, known by their hash alone."""

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None: ...

    async def find(self, digest: str) -> Actor | None: ...

    async def any(self) -> bool: ...
