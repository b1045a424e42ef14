"""The errors that orderflow raises, as one tree.

::

    OrderFlowError
    ├── InvalidInput            a value is outside what is allowed; names the field
    │   └── UndecodableEvent    bytes that are no event of a supported version; names the field
    ├── EventTooLarge           an event would be larger than Kafka accepts
    ├── NotFound
    │   └── OrderNotFound
    ├── CommandRefused          the order refuses; names guard, unlock and the next states
    │   ├── IllegalTransition   the table has no such transition
    │   ├── NotPermitted        this actor is not permitted
    │   └── GuardFailed         something is missing (a shipper, a reason, ...)
    ├── PricesNotPermitted      this actor may not see or change the prices of a restaurant
    ├── Conflict
    │   ├── OrderExists         the id is taken, by an order with other content
    │   ├── ConcurrentChange    a newer version was saved meanwhile
    │   ├── VersionMismatch     the caller expects another version
    │   ├── PricesRefused       a new order's lines are not as the restaurant's price list has them
    │   ├── PriceListChanged    the caller expects another version of a price list
    │   ├── OrdersOpen          a customer with open orders is not erased
    │   ├── RequestRunning      a request with the same idempotency key is running
    │   ├── RequestAnswered     a request with the same idempotency key has a response; nothing was repeated
    │   ├── KeyReused           the idempotency key was used for another request
    │   └── RebuildOvertaken    another rebuild of the same data was started
    ├── CorruptHistory          events that are not the history of an order
    ├── StaleCursor             another process has moved this cursor
    ├── LogGap                  events are missing between the cursor and the next record
    ├── LogBehindTopic          the topic has events that the log lacks: the database was restored
    ├── TopicMismatch           a topic exists with settings other than those requested
    ├── NotConfigured           a setting or an installation extra is missing
    ├── ConfirmationNeeded      the customer has to confirm a payment elsewhere
    ├── TransientFailure        a handler failed temporarily; it is retried
    ├── StorageBusy             too many callers wait for the storage; nothing was changed
    └── Unavailable             a backend does not answer; retrying is safe
        ├── StorageUnavailable
        ├── StreamUnavailable
        ├── GatewayUnavailable
        └── ChannelUnavailable

Each class has a stable ``code`` and carries its data as attributes. HTTP statuses and exit codes are not
among them: each entry point has one table that maps the classes to them.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from attrs import define, field, frozen


class OrderFlowError(Exception):
    """The base class of all errors that orderflow raises."""

    code: ClassVar[str] = "error"

    def context(self) -> dict[str, object]:
        """Return the error's data by attribute name, for problem documents and logs."""
        return {a.name: getattr(self, a.name) for a in getattr(self, "__attrs_attrs__", ())}

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the instance as it is; the default calls the class with ``args``, which keyword-only fields refuse."""
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(kind: type[OrderFlowError], args: tuple[object, ...]) -> OrderFlowError:
    return kind.__new__(kind, *args)


@define(eq=False, slots=False)
class InvalidInput(OrderFlowError):
    """A value that is not allowed. ``field`` is its path as the caller wrote it (``orderDetails/0/price``)."""

    code: ClassVar[str] = "invalid_input"
    field: str
    problem: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field or 'the document'}: {self.problem}; allowed: {self.allowed}"


@define(eq=False, slots=False)
class UndecodableEvent(InvalidInput):
    code: ClassVar[str] = "undecodable_event"


@define(eq=False, slots=False)
class EventTooLarge(OrderFlowError):
    """An event that is too large. ``size`` and ``limit`` are in bytes, as on the topic."""

    code: ClassVar[str] = "event_too_large"
    order_id: str
    type: str
    size: int
    limit: int

    def __str__(self) -> str:
        return (
            f"order {self.order_id!r}: its {self.type} would take {self.size} bytes, and an event has at most "
            f"{self.limit}; nothing was changed"
        )


@define(eq=False, slots=False)
class NotFound(OrderFlowError):
    code: ClassVar[str] = "not_found"
    kind: str
    id: str

    def __str__(self) -> str:
        return f"there is no {self.kind} {self.id!r}"


class OrderNotFound(NotFound):
    code: ClassVar[str] = "order_not_found"

    def __init__(self, order_id: str) -> None:
        super().__init__(kind="order", id=order_id)


NEW = "new"
"""The state in refusals of an order that is not created."""


@define(eq=False, slots=False, kw_only=True)
class CommandRefused(OrderFlowError):
    """A command that the order refuses. ``allowed`` are its next states; ``unlock`` says what would help.

    ``state`` is ``NEW`` if the order is not created.
    """

    code: ClassVar[str] = "command_refused"
    order_id: str
    action: str
    state: str
    allowed: tuple[str, ...]
    guard: str
    unlock: str

    def __str__(self) -> str:
        if self.state == NEW:
            return f"order {self.order_id!r} is not created: {self.guard}; {self.unlock}"
        allowed = ", ".join(self.allowed) or "none, the state is final"
        return (
            f"order {self.order_id!r} in state {self.state} refuses {self.action}: {self.guard}; "
            f"{self.unlock}; next states from {self.state}: {allowed}"
        )


class IllegalTransition(CommandRefused):
    code: ClassVar[str] = "illegal_transition"


class NotPermitted(CommandRefused):
    code: ClassVar[str] = "not_permitted"


class GuardFailed(CommandRefused):
    code: ClassVar[str] = "guard_failed"


@define(eq=False, slots=False)
class PricesNotPermitted(OrderFlowError):
    """The text is the same whether the restaurant has prices or not."""

    code: ClassVar[str] = "prices_not_permitted"
    actor: str
    restaurant_id: str
    action: str

    def __str__(self) -> str:
        return (
            f"{self.actor} may not {self.action} the prices of restaurant {self.restaurant_id!r}; "
            "the restaurant itself or an admin may, and customers may read them"
        )


class Conflict(OrderFlowError):
    code: ClassVar[str] = "conflict"


class LineProblem(StrEnum):
    """The ways in which a line of an order differs from the price list."""

    NOT_LISTED = "not_listed"
    NOT_AVAILABLE = "not_available"
    OTHER_PRICE = "other_price"
    OTHER_NAME = "other_name"
    DISCOUNT = "discount_not_permitted"


@frozen(kw_only=True)
class RefusedLine:
    """A line of an order, counted from 0, and what the list has for its item now; no name if it has nothing.

    ``until`` is when ``available`` will change, if that is known.
    """

    line: int
    item_id: str
    problem: LineProblem
    name: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    available: bool | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        now = "it has no price"
        if self.name is not None:
            now = f"it is {self.name!r} at {self.price} {self.currency}"
            now += "" if self.available else ", not available now"
            now += f" until {self.until.isoformat()}" if self.until is not None else ""
        return f"line {self.line} (item {self.item_id!r}): {self.problem}; {now}"


@define(eq=False, slots=False)
class PricesRefused(Conflict):
    """A new order whose lines differ from the price list of its restaurant. Nothing was stored."""

    code: ClassVar[str] = "prices_refused"
    restaurant_id: str
    lines: tuple[RefusedLine, ...]

    def __str__(self) -> str:
        lines = "; ".join(map(str, self.lines))
        return f"the order differs from the prices of restaurant {self.restaurant_id!r}: {lines}"


@define(eq=False, slots=False)
class PriceListChanged(Conflict):
    code: ClassVar[str] = "prices_changed"
    restaurant_id: str
    expected: int
    actual: int

    def __str__(self) -> str:
        return (
            f"the prices of restaurant {self.restaurant_id!r} are at version {self.actual}, not at the expected "
            f"{self.expected}; nothing was changed"
        )


@define(eq=False, slots=False)
class OrderExists(Conflict):
    """The id of a new order is taken. ``differs`` are the values that differ; empty if the order is another party's."""

    code: ClassVar[str] = "order_exists"
    order_id: str
    differs: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.differs:
            return f"order id {self.order_id!r} is taken; use another one"
        return f"order {self.order_id!r} exists with other content ({', '.join(self.differs)})"


@define(eq=False, slots=False)
class ConcurrentChange(Conflict):
    code: ClassVar[str] = "concurrent_change"
    order_id: str
    version: int

    def __str__(self) -> str:
        return f"order {self.order_id!r} was changed by another command after version {self.version}"


@define(eq=False, slots=False)
class VersionMismatch(Conflict):
    code: ClassVar[str] = "version_mismatch"
    order_id: str
    expected: int
    actual: int

    def __str__(self) -> str:
        return f"order {self.order_id!r} is at version {self.actual}, not at the expected {self.expected}"


@define(eq=False, slots=False)
class OrdersOpen(Conflict):
    code: ClassVar[str] = "orders_open"
    customer_id: str
    orders: int

    def __str__(self) -> str:
        open_orders = f"orders that are not delivered or cancelled: {self.orders}"
        return f"customer {self.customer_id!r} has {open_orders}; nothing was erased"


@define(eq=False, slots=False)
class RequestRunning(Conflict):
    code: ClassVar[str] = "request_running"
    key: str

    def __str__(self) -> str:
        return f"a request with idempotency key {self.key!r} is still running; try again shortly"


@define(eq=False, slots=False)
class RequestAnswered(Conflict):
    code: ClassVar[str] = "request_answered"
    key: str

    def __str__(self) -> str:
        return f"the request with idempotency key {self.key!r} has a response already"


@define(eq=False, slots=False)
class KeyReused(Conflict):
    code: ClassVar[str] = "key_reused"
    key: str

    def __str__(self) -> str:
        return f"idempotency key {self.key!r} was used for another request; use a new key for a new request"


@define(eq=False, slots=False)
class RebuildOvertaken(Conflict):
    code: ClassVar[str] = "rebuild_overtaken"
    target: str

    def __str__(self) -> str:
        return f"another rebuild of {self.target} was started; this one has changed nothing"


@define(eq=False, slots=False)
class CorruptHistory(OrderFlowError):
    code: ClassVar[str] = "corrupt_history"
    order_id: str
    sequence: int
    problem: str

    def __str__(self) -> str:
        return f"order {self.order_id!r}, event {self.sequence}: {self.problem}"


@define(eq=False, slots=False)
class StaleCursor(OrderFlowError):
    code: ClassVar[str] = "stale_cursor"
    reader: str
    bucket: int
    expected: int

    def __str__(self) -> str:
        return f"{self.reader}: another process moved the cursor of bucket {self.bucket} from {self.expected}"


@define(eq=False, slots=False)
class LogGap(OrderFlowError):
    code: ClassVar[str] = "log_gap"
    reader: str
    bucket: int
    cursor: int
    position: int

    def __str__(self) -> str:
        return (
            f"{self.reader}: bucket {self.bucket} continues at position {self.position} after {self.cursor}; "
            f"events missing: {self.position - self.cursor - 1}, so nothing after them is handled"
        )


@define(eq=False, slots=False)
class LogBehindTopic(OrderFlowError):
    """A topic that has events the log lacks. ``problem`` is empty if the topic's position is simply the later one."""

    code: ClassVar[str] = "log_behind_topic"
    bucket: int
    log: int
    topic: int
    problem: str = ""

    def __str__(self) -> str:
        problem = self.problem or f"the topic is at position {self.topic}, the log only at {self.log}"
        return (
            f"bucket {self.bucket}: {problem}; the database was restored to an earlier point, or is another one. "
            "Nothing is published or handled until the log is repaired; "
            "`orderflow log repair --dry-run` shows what is lost"
        )


@define(eq=False, slots=False)
class TopicMismatch(OrderFlowError):
    code: ClassVar[str] = "topic_mismatch"
    topic: str
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return f"topic {self.topic!r} exists with other settings: {'; '.join(self.differences)}"


@define(eq=False, slots=False)
class NotConfigured(OrderFlowError):
    code: ClassVar[str] = "not_configured"
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.fix}"


@define(eq=False, slots=False)
class TransientFailure(OrderFlowError):
    """A failure that passes by itself. Handlers raise it so that the event is retried."""

    code: ClassVar[str] = "transient_failure"
    problem: str = ""

    def __str__(self) -> str:
        return f"temporary failure: {self.problem or 'no details'}"


@define(eq=False, slots=False)
class Unavailable(OrderFlowError):
    """A backend, or another system that is called, does not answer; retrying is safe.

    ``backend`` is its name, ``problem`` is what went wrong: ``GatewayUnavailable("acme", "HTTP 503")``.
    """

    code: ClassVar[str] = "unavailable"
    backend: str = "a backend"
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.backend} does not answer: {self.problem or 'no details'}"


class StorageUnavailable(Unavailable):
    code: ClassVar[str] = "storage_unavailable"


@define(eq=False, slots=False)
class StorageBusy(OrderFlowError):
    """More callers wait for the storage than this process may keep waiting. Nothing was changed."""

    code: ClassVar[str] = "storage_busy"
    waiting: int

    def __str__(self) -> str:
        return f"{self.waiting} requests wait for the storage already; nothing was changed"


@define(eq=False, slots=False)
class ConfirmationNeeded(OrderFlowError):
    """A card payment that the customer has to confirm elsewhere, as with 3-D Secure. Then it is requested again.

    ``client_secret`` is for the provider's program at the customer, ``url`` is where the customer confirms; either may
    be empty. They are for the caller alone, so neither is in ``context`` or in the text.
    """

    code: ClassVar[str] = "confirmation_needed"
    order_id: str
    client_secret: str = field(default="", repr=False)
    url: str = field(default="", repr=False)

    def context(self) -> dict[str, object]:
        return {"order_id": self.order_id}

    def __str__(self) -> str:
        return f"the customer has to confirm the payment of order {self.order_id!r}; request the payment again then"


class StreamUnavailable(Unavailable):
    code: ClassVar[str] = "stream_unavailable"


class GatewayUnavailable(Unavailable):
    code: ClassVar[str] = "gateway_unavailable"


class ChannelUnavailable(Unavailable):
    code: ClassVar[str] = "channel_unavailable"
