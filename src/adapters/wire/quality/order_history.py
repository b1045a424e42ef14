"""Follows the events of one order on the topic and checks that each is a valid successor of those before it."""

from attrs import define, field, frozen

from ....application.event_log.records import FIRST_EPOCH
from ....domain.errors import CorruptHistory
from ....domain.events import OrderEvent, StateChanged
from ....domain.history import OrderFacts, apply
from ....domain.lifecycle import OrderState, transition

GAP = "gap"
"""Events before this one are missing."""
REGRESSION = "regression"
"""The event is a duplicate or out of order."""
ILLEGAL = "illegal"
"""The event is not valid in the order's state."""


@frozen
class Contradiction:
    """An event that does not fit those before it. ``kind`` is GAP, REGRESSION or ILLEGAL."""

    kind: str
    problem: str


@define
class OrderHistory:
    """The history of an order in one epoch of the log. After a gap, only its sequence and state are known."""

    from_first_event: bool
    epoch: int = FIRST_EPOCH
    has_contradiction: bool = False
    _facts: OrderFacts | None = field(default=None, init=False)
    _sequence: int = field(default=0, init=False)
    _state: OrderState | None = field(default=None, init=False)

    def add(self, event: OrderEvent) -> Contradiction | None:
        """Add an event. Return how it contradicts the events before it, or None."""
        before = self._sequence
        if before and event.sequence <= before:
            return Contradiction(REGRESSION, f"event {event.sequence} comes after event {before}")
        self._sequence = event.sequence
        if event.sequence > before + 1:
            self._restart(event)
            if before:
                return Contradiction(GAP, f"event {event.sequence} comes after event {before}")
            if self.from_first_event:
                return Contradiction(GAP, f"its first event here is number {event.sequence}")
            return None
        problem = self._apply(event)
        return Contradiction(ILLEGAL, f"event {event.sequence}: {problem}") if problem else None

    def _apply(self, event: OrderEvent) -> str:
        """Apply the next event. Return why it is not valid, or an empty text."""
        if self._facts is not None or event.sequence == 1:
            try:
                self._facts = apply(self._facts, event)
            except CorruptHistory as error:
                self._restart(event)
                return error.problem
            self._state = self._facts.state
        elif isinstance(event, StateChanged):
            before, self._state = self._state, event.new
            if before is not None and event.old is not before:
                return f"its old state is {event.old}, but the order is {before}"
            if transition(event.old, event.new) is None:
                return f"{event.old} to {event.new} is not an allowed transition"
        return ""

    def _restart(self, event: OrderEvent) -> None:
        """Restart from this event: only what it contains is known."""
        self._facts = None
        self._state = event.new if isinstance(event, StateChanged) else None
