"""The invariants that hold after any fault, checked for the small and for the large campaign.

To what ``orderflow check`` compares (log, rows, topic, effects) it adds what only the outside knows: what was
acknowledged, where cursors once stood, what moved at the gateway and arrived as mail.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.application.check import CheckReport
from orderflow.application.check.report import Comparison
from orderflow.application.event_log.records import Positions
from orderflow.application.notifications.notification import Message, NotificationStatus
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from orderflow.domain.errors import OrderNotFound

ACKNOWLEDGED = "every acknowledged write is in the database"
CONVERGED = "requests with an unknown outcome converged to one"
CURSORS = "no cursor ever went back"
CAUGHT_UP = "nothing waits"
ON_TOPIC = "the topic holds the log's events, each once and in order"
MONEY = "money moved once for each attempt"
MAIL = "each notification arrived under its own key"


@define
class Witness:
    """Looks at cursors again and again, and remembers how far each has been; ``missed`` looks got no answer."""

    highest: dict[tuple[str, int], int] = field(factory=dict)
    looks: int = 0
    missed: int = 0
    gone_back: list[str] = field(factory=list)

    def look(self, reached: Mapping[str, Positions]) -> None:
        """``reached`` are the positions of every reader that can be asked now; one that it knew and is gone is at 0."""
        self.looks += 1
        now = {(reader, bucket): at for reader, positions in reached.items() for bucket, at in positions.items()}
        for (reader, bucket), before in self.highest.items():
            if reader in reached and (at := now.get((reader, bucket), 0)) < before:
                self.gone_back.append(f"{reader} in bucket {bucket} from {before} to {at}")
        self.highest.update({place: max(at, self.highest.get(place, 0)) for place, at in now.items()})


@frozen
class Acknowledgement:
    """The answer to the request with ``key``: the order as it was then, and the bytes that said so."""

    key: IdempotencyKey
    order_id: str
    version: int
    body: bytes
    creates: bool


async def invariants(
    container: Any, acknowledged: Sequence[Acknowledgement], witness: Witness, *, orders: int | None = None
) -> CheckReport:
    """``orders`` is how many there should be in all; without it, as many as requests that create one."""
    report: CheckReport = await container.check()()
    await _acknowledged(container.storage(), acknowledged, report.start(ACKNOWLEDGED, "requests"))
    await _converged(container.storage(), acknowledged, report.start(CONVERGED, "requests"), orders)
    cursors = report.start(CURSORS, "looks")
    cursors.compared = witness.looks
    for problem in witness.gone_back:
        cursors.differ("cursor", problem)
    caught_up = report.start(CAUGHT_UP, "notes")
    caught_up.compared = 1
    for note in report.notes:
        caught_up.differ("lag", note)
    return report


async def _acknowledged(storage: Any, acknowledged: Sequence[Acknowledgement], asked: Comparison) -> None:
    for it in acknowledged:
        asked.compared += 1
        try:
            order = await storage.views.get(it.order_id)
        except OrderNotFound:
            asked.differ(it.key.key, f"order {it.order_id} is gone")
            continue
        if order.version < it.version:
            asked.differ(it.key.key, f"order {it.order_id} is at {order.version}, acknowledged was {it.version}")


async def _converged(
    storage: Any, acknowledged: Sequence[Acknowledgement], asked: Comparison, orders: int | None
) -> None:
    """Every key answers what was acknowledged, and no request made a second order."""
    for it in acknowledged:
        asked.compared += 1
        answer = await storage.answers.find(it.key.caller, it.key.key)
        if answer is None or answer.body != it.body:
            asked.differ(it.key.key, f"answers {answer and answer.body!r}, and {it.body!r} was acknowledged")
    wanted = sum(it.creates for it in acknowledged) if orders is None else orders
    if (there := await storage.audit.count()) != wanted:
        asked.differ("orders", f"{there} are there, {wanted} were asked for")


async def check_money(storage: Any, order_ids: Iterable[str], gateway: SandboxGateway, report: CheckReport) -> None:
    """Compares the attempts with what really went through at the gateway, by the attempt's key."""
    moved = {*gateway.moved, *gateway.voided}
    asked = report.start(MONEY, "attempts")
    known: dict[str, PaymentAttempt] = {}
    for order_id in sorted(set(order_ids)):
        attempts = await storage.attempts.of_order(order_id)
        known |= {attempt.key: attempt for attempt in attempts}
        rounds = Counter(attempt.kind for attempt in attempts if attempt.status is AttemptStatus.SUCCEEDED)
        taken_back = rounds[AttemptKind.REFUND] > rounds[AttemptKind.CAPTURE]
        if (
            any(times > 1 for times in rounds.values())
            or taken_back
            or rounds[AttemptKind.VOID] * rounds[AttemptKind.CAPTURE]
        ):
            asked.differ(f"order {order_id}", f"moved money as {dict(rounds)}")
    for key, attempt in known.items():
        asked.compared += 1
        if attempt.status is AttemptStatus.REQUESTED:
            asked.differ(key, "its outcome was never found out")
        if (attempt.status is AttemptStatus.SUCCEEDED) != (key in moved):
            asked.differ(key, f"is {attempt.status}, and the gateway {'moved it' if key in moved else 'knows nothing'}")
    for key in moved - known.keys():
        asked.differ(key, "was moved, and no attempt records it")


async def check_mail(effects: Any, order_ids: Iterable[str], sent: Sequence[Message], report: CheckReport) -> None:
    """``sent`` is all that the other side was given; one message more than once is allowed, under the same key."""
    asked = report.start(MAIL, "notifications")
    arrived = Counter(message.key for message in sent)
    wanted = set()
    for notification in await effects.notifications.of_orders(sorted(set(order_ids))):
        if notification.status is NotificationStatus.UNREACHABLE:
            continue
        asked.compared += 1
        wanted.add(notification.key)
        if notification.status is not NotificationStatus.SENT:
            asked.differ(notification.key, f"to {notification.recipient} is {notification.status}")
        elif not arrived[notification.key]:
            asked.differ(notification.key, f"to {notification.recipient} is noted as sent, and never arrived")
    for key in arrived.keys() - wanted:
        asked.differ(key, "arrived, and no notification records it")


def differences(report: CheckReport) -> list[str]:
    """Every difference in words; empty where all holds."""
    return [f"{c.name}: {d.where}: {d.problem}" for c in report.comparisons for d in c.differences]
