"""One order as a reader of the topic hears of it: whether each event can follow those before it."""

from attrs import define, field, frozen

from ....application.event_log.records import FIRST_EPOCH
from ....domain.errors import CorruptHistory
from ....domain.events import OrderEvent, StateChanged
from ....domain.history import OrderFacts, apply
from ....domain.lifecycle import OrderState, transition

GAP = "gap"
"""Events before this one did not come."""
REGRESSION = "regression"
"""It came before, or out of order."""
ILLEGAL = "illegal"
"""It cannot follow what came before."""


@frozen
class Contradiction:
    """``kind`` is GAP, REGRESSION or ILLEGAL."""

    kind: str
    problem: str


@define
class OrderHistory:
    """What is known of an order in one epoch of the log: all, or only its number and state, where some is missing."""

    from_its_beginning: bool
    epoch: int = FIRST_EPOCH
    contradicted: bool = False
    _facts: OrderFacts | None = field(default=None, init=False)
    _sequence: int = field(default=0, init=False)
    _state: OrderState | None = field(default=None, init=False)

    def follow(self, event: OrderEvent) -> Contradiction | None:
        """Hear one more event; how it contradicts what was heard before, None when it does not."""
        before = self._sequence
        if before and event.sequence <= before:
            return Contradiction(REGRESSION, f"event {event.sequence} comes after event {before}")
        self._sequence = event.sequence
        if event.sequence > before + 1:
            self._begin_anew(event)
            if before:
                return Contradiction(GAP, f"event {event.sequence} comes after event {before}")
            if self.from_its_beginning:
                return Contradiction(GAP, f"its first event here is number {event.sequence}")
            return None
        problem = self._take(event)
        return Contradiction(ILLEGAL, f"event {event.sequence}: {problem}") if problem else None

    def _take(self, event: OrderEvent) -> str:
        """The next event; what keeps it from being one, where something does."""
        if self._facts is not None or event.sequence == 1:
            try:
                self._facts = apply(self._facts, event)
            except CorruptHistory as error:
                self._begin_anew(event)
                return error.problem
            self._state = self._facts.state
        elif isinstance(event, StateChanged):
            before, self._state = self._state, event.new
            if before is not None and event.old is not before:
                return f"it leaves {event.old}, but the order is {before}"
            if transition(event.old, event.new) is None:
                return f"there is no way from {event.old} to {event.new}"
        return ""

    def _begin_anew(self, event: OrderEvent) -> None:
        """Only what this event says is known from here on."""
        self._facts = None
        self._state = event.new if isinstance(event, StateChanged) else None
