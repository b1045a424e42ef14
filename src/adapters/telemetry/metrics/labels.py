"""The labels of metrics. Each is bounded: an order, a customer or free text is never a label's value."""

import re
from collections.abc import Iterator

from attrs import field, frozen

from ....domain.currency import MINOR_UNITS
from ....domain.errors import OrderFlowError
from ....domain.events import EVENT_TYPES
from ....domain.lifecycle import OrderState

OTHER = "other"
"""The value that replaces every other one."""


@frozen
class Label:
    """A label with a fixed set of ``values``, or with the first ``most`` of those that match ``pattern``; then OTHER.

    ``source`` describes in words where the values come from.
    """

    name: str
    values: tuple[str, ...] = ()
    source: str = field(kw_only=True, default="")
    pattern: str = field(kw_only=True, default="")
    most: int = field(kw_only=True, default=100)

    def allows(self, value: str) -> bool:
        """Return whether ``value`` is allowed."""
        return re.fullmatch(self.pattern, value) is not None if self.pattern else value in self.values


def _codes(error: type[OrderFlowError]) -> Iterator[str]:
    yield error.code
    for special in error.__subclasses__():
        yield from _codes(special)


REASONS = (
    "address_not_found",
    "changed_my_mind",
    "customer_unreachable",
    "duplicate",
    "no_courier",
    "out_of_stock",
    "payment_failed",
    "restaurant_closed",
    "too_busy",
    "too_late",
)
"""The cancellation reasons that are counted separately, in lower case with underscores for spaces."""

TYPE = Label("type", (*sorted(event.type for event in EVENT_TYPES), OTHER))
OPEN_STATE = Label("state", tuple(state for state in OrderState if not state.terminal))
FINAL_STATE = Label("state", tuple(state for state in OrderState if state.terminal))
CURRENCY = Label("currency", (*MINOR_UNITS, OTHER), source="ISO 4217")
REASON = Label("reason", (*REASONS, OTHER))
ERROR_OUTCOME = Label(
    "outcome",
    ("ok", *sorted(set(_codes(OrderFlowError))), OTHER),
    source="ok, or the code of the error; other: a fault",
)
CONSUMER = Label(
    "consumer",
    source="notifications, analytics, inventory, or the name of an application's own handler",
    pattern=r"[A-Za-z_][\w.<>-]{0,63}",
    most=50,
)
PROCESS_PART = Label(
    "process_part",
    source="api, relay, copying, housekeeping, or the name of a consumer",
    pattern=CONSUMER.pattern,
    most=60,
)
CLIENT = Label("client", source="relay, direct, or the name of a consumer", pattern=CONSUMER.pattern, most=50)
CHANNEL = Label("channel", source="email, log, or the name of a channel of your own", pattern=r"[a-z][a-z0-9_-]{0,31}")
BROKER = Label("broker", source="the node ids of the cluster", pattern=r"\d{1,10}", most=100)
PARTITION = Label("partition", source="the partitions of the topic", pattern=r"\d{1,3}", most=256)
