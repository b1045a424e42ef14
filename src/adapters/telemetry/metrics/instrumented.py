"""Use-cases, committer, relay topic, direct publishing and channels, each counted from outside.

The container wraps them; none of them knows. Counting takes microseconds and is done once for a call or a batch.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from attrs import define, field, frozen

from ....application.event_log.records import LogRecord
from ....application.notifications.notification import Contact, Message, Receipt
from ....application.notifications.ports import Notifier
from ....application.orders.ports import Committer
from ....application.orders.write_set import WriteSet
from ....application.recovery.epochs import BEGINNING, Epochs
from ....application.relay.ports import OnFlushed, RelayTopic, noop
from ....domain.errors import ChannelUnavailable, OrderFlowError
from . import catalogue as the
from .instruments import Instruments
from .labels import OTHER


def outcome_of(error: BaseException | None) -> str:
    """``ok``, the code of an error of ours, or OTHER for a fault."""
    if error is None:
        return "ok"
    return error.code if isinstance(error, OrderFlowError) else OTHER


@define(eq=False)
class InstrumentedCommand:
    """The use-case ``call``, told as ``command``. Whoever gives up before the answer is not counted."""

    command: str
    call: Callable[..., Awaitable[Any]]
    instruments: Instruments

    async def __call__(self, *arguments: Any, **named: Any) -> Any:
        began = perf_counter()
        try:
            answer = await self.call(*arguments, **named)
        except Exception as error:
            self._told(began, error)
            raise
        self._told(began, None)
        return answer

    def _told(self, began: float, error: Exception | None) -> None:
        self.instruments.add(the.COMMANDS, command=self.command, outcome=outcome_of(error))
        self.instruments.observe(the.COMMAND_SECONDS, perf_counter() - began, command=self.command)


@frozen
class InstrumentedCommitter:
    committer: Committer
    instruments: Instruments

    async def commit(self, writes: WriteSet) -> None:
        began = perf_counter()
        try:
            await self.committer.commit(writes)
        except Exception as error:
            self.instruments.observe(the.COMMIT_SECONDS, perf_counter() - began, outcome=outcome_of(error))
            raise
        self.instruments.observe(the.COMMIT_SECONDS, perf_counter() - began, outcome="ok")


@frozen
class InstrumentedPublishing:
    """Counts what went to Kafka, a batch at a time."""

    instruments: Instruments
    via: str

    def __call__(self, records: Sequence[LogRecord], delivered: Sequence[bool], seconds: float) -> None:
        """``records`` went together and took so long; for each, whether Kafka has it."""
        told = Counter(zip((record.type for record in records), delivered, strict=True))
        for (type_, ok), many in told.items():
            outcome = "ok" if ok else "failed"
            self.instruments.add(the.SENT_MESSAGES, many, type=type_, via=self.via, outcome=outcome)
        outcome = "ok" if all(delivered) else "failed"
        self.instruments.observe(the.SEND_SECONDS, seconds, via=self.via, outcome=outcome)
        self.instruments.observe(the.SEND_BATCH, len(records), via=self.via)


@define(eq=False)
class InstrumentedRelayTopic:
    topic: RelayTopic
    instruments: Instruments
    _told: InstrumentedPublishing = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._told = InstrumentedPublishing(self.instruments, "relay")

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        return await self.topic.cursors(epochs)

    async def marks(self) -> Mapping[int, int]:
        return await self.topic.marks()

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        began = perf_counter()
        delivered = False
        try:
            await self.topic.publish(records, on_flushed)
            delivered = True
        finally:
            self._told(records, [delivered] * len(records), perf_counter() - began)

    async def close(self) -> None:
        await self.topic.close()


@frozen
class InstrumentedNotifier:
    notifier: Notifier
    instruments: Instruments

    @property
    def name(self) -> str:
        return self.notifier.name

    def address(self, party: str, contact: Contact | None) -> str | None:
        return self.notifier.address(party, contact)

    async def send(self, message: Message) -> Receipt:
        began = perf_counter()
        outcome = "failed"
        try:
            receipt = await self.notifier.send(message)
            outcome = "sent" if receipt.accepted else "refused"
        except ChannelUnavailable:
            outcome = "unavailable"
            raise
        finally:
            self.instruments.observe(the.NOTIFIED, perf_counter() - began, channel=self.name, outcome=outcome)
        return receipt
