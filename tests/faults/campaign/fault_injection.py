"""Injects each fault, verifies that it happened, and repairs it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import asyncpg
from attrs import define, field
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.support.kafka.local import KafkaNode
from tests.support.process import OwnProcess
from tests.support.waiting import eventually_async

from . import brokers
from .deployment import APIS, CONSUMERS, PARTITIONS, RELAYS, TOPIC, Deployment
from .postgres_link import PostgresLink
from .proxy import Link
from .timetable import Fault, Kind
from .workload import Workload

T = TypeVar("T")

CUT_SECONDS = 5.0
RELAY_STOPPED_SECONDS = 12.0
"""Past its session of 6 s and past its transaction's timeout of 10 s."""
CONSUMER_STOPPED_SECONDS = 8.0
BROKER_DOWN_SECONDS = 5.0
BROKER_PAUSED_SECONDS = 8.0
"""Past its session of 4 s."""
HELD_SECONDS = 30.0
RECEIVER_DOWN_SECONDS = 3.0
RETRIES = 1_000
GROUPS = ("relay", "notifications", "analytics", "inventory")


class FaultNotInjected(Exception):
    """A fault that was asked for and could not be made, or left no trace."""


@define(eq=False)
class FaultInjection:
    """Makes faults on ``deployment``; ``made`` counts those that left their trace.

    Raises FaultNotInjected, and AssertionError where what was broken does not come back.
    """

    deployment: Deployment
    workload: Workload
    made: Counter[Kind] = field(factory=Counter, init=False)
    details: Counter[str] = field(factory=Counter, init=False)

    async def __call__(self, fault: Fault) -> None:
        """Make it, look for its trace, repair it; returns when what was broken is there again."""
        await self._ways()[fault.kind](fault)
        self.made[fault.kind] += 1

    def _ways(self) -> Mapping[Kind, Callable[[Fault], Awaitable[None]]]:
        return {
            Kind.API_KILLED: lambda fault: self._killed(_one_of(APIS, fault)),
            Kind.RELAY_KILLED: lambda fault: self._killed(_one_of(RELAYS, fault)),
            Kind.CONSUMER_KILLED: lambda fault: self._killed(_one_of(CONSUMERS, fault)),
            Kind.RELAY_STOPPED: lambda fault: self._stopped(_one_of(RELAYS, fault), RELAY_STOPPED_SECONDS),
            Kind.CONSUMER_STOPPED: lambda fault: self._stopped(_one_of(CONSUMERS, fault), CONSUMER_STOPPED_SECONDS),
            Kind.LEADER_KILLED: self._leader_killed,
            Kind.CONTROLLER_KILLED: self._controller_killed,
            Kind.BROKER_KILLED: lambda fault: self._broker_killed(_one_of(self.deployment.kafka.members, fault)),
            Kind.BROKER_PAUSED: self._broker_paused,
            Kind.POSTGRES_KILLED: self._postgres_killed,
            Kind.BACKEND_TERMINATED: self._backend_terminated,
            Kind.API_POSTGRES: lambda fault: self._link([self._to_postgres(_one_of(APIS, fault))], fault),
            Kind.RELAY_POSTGRES: lambda fault: self._link([self._to_postgres(_one_of(RELAYS, fault))], fault),
            Kind.RELAY_KAFKA: lambda fault: self._link(self._to_kafka(_one_of(RELAYS, fault)), fault),
            Kind.CONSUMER_KAFKA: lambda fault: self._link(self._to_kafka(_one_of(CONSUMERS, fault)), fault),
            Kind.COMMIT_SWALLOWED: self._commit_swallowed,
            Kind.TRANSACTION_HELD: self._transaction_held,
            Kind.RETRIES: self._retries,
            Kind.REBALANCE: self._rebalance,
            Kind.RECEIVER_KILLED: self._receiver_killed,
        }

    async def _killed(self, part: str) -> None:
        await self.deployment.ready(part)
        self.deployment.downed.add(part)
        try:
            _must(self.deployment.processes[part].running, f"{part} runs")
            await asyncio.to_thread(self.deployment.processes[part].kill)
        finally:
            self.deployment.processes[part].start()
            self.deployment.downed.discard(part)
        await self.deployment.ready(part)

    async def _stopped(self, part: str, seconds: float) -> None:
        await self.deployment.ready(part)
        await self._asleep(self.deployment.processes[part], seconds)

    async def _asleep(self, process: OwnProcess, seconds: float) -> None:
        process.pause()
        try:
            await asyncio.sleep(seconds)
            _must(process.asleep, "the process stood still to the end")
        finally:
            process.resume()

    async def _leader_killed(self, fault: Fault) -> None:
        number = await self._node_number(lambda: brokers.leader(self.deployment.kafka, fault.which % PARTITIONS))
        await self._broker_killed(self.deployment.kafka.members[number - 1])

    async def _controller_killed(self, _: Fault) -> None:
        number = await self._node_number(lambda: brokers.controller(self.deployment.kafka))
        await self._broker_killed(self.deployment.kafka.members[number - 1])

    async def _node_number(self, ask: Callable[[], T]) -> T:
        async def answered() -> list[T]:
            try:
                return [await asyncio.to_thread(ask)]
            except LookupError:
                return []

        [found] = await eventually_async(answered, that="the brokers say who leads")
        return found

    async def _broker_killed(self, member: KafkaNode) -> None:
        _must(member.process.running, f"broker {member.number} runs")
        await asyncio.to_thread(member.process.kill)
        await asyncio.sleep(BROKER_DOWN_SECONDS)
        member.process.start()
        await self._brokers_whole()

    async def _broker_paused(self, fault: Fault) -> None:
        await self._asleep(_one_of(self.deployment.kafka.members, fault).process, BROKER_PAUSED_SECONDS)
        await self._brokers_whole()

    async def _brokers_whole(self) -> None:
        async def whole() -> bool:
            return await asyncio.to_thread(brokers.whole, self.deployment.kafka)

        await eventually_async(whole, every=0.5, that="every broker has every copy in sync")

    async def _receiver_killed(self, _: Fault) -> None:
        receiver = self.deployment.receiver
        await receiver.stop()
        try:
            await asyncio.sleep(RECEIVER_DOWN_SECONDS)
            await eventually_async(self._receiver_is_missed, every=0.2, that="a webhook was not accepted")
        finally:
            await receiver.start()

    async def _receiver_is_missed(self) -> bool:
        try:
            connection = await self.deployment.connect()
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            return bool(await connection.fetchval("SELECT max(failures) > 0 FROM webhook_endpoints"))
        finally:
            await connection.close()

    async def _postgres_killed(self, _: Fault) -> None:
        connection = await self.deployment.connect()
        await asyncio.to_thread(self.deployment.postgres.kill)
        await eventually_async(connection.is_closed, that="PostgreSQL's end is felt")
        await asyncio.to_thread(self.deployment.postgres.start)

    async def _backend_terminated(self, fault: Fault) -> None:
        connection = await self.deployment.connect()
        try:
            found = await connection.fetch(
                "SELECT pid, state FROM pg_stat_activity WHERE application_name = 'orderflow' ORDER BY pid"
            )
            _must(bool(found), "a process is connected to PostgreSQL")
            # Busy connections are the first choice: an idle one is made anew, and no request fails by it.
            busy = [row["pid"] for row in found if row["state"] != "idle"] or [row["pid"] for row in found]
            pid = busy[fault.which % len(busy)]
            done = await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
            _must(done, f"backend {pid} is gone")
        finally:
            await connection.close()

    def _to_postgres(self, part: str) -> Link:
        return self.deployment.links[part, "postgres"]

    def _to_kafka(self, part: str) -> Sequence[Link]:
        return [self.deployment.links[part, f"kafka {member.number}"] for member in self.deployment.kafka.members]

    async def _link(self, links: Sequence[Link], fault: Fault) -> None:
        """Cut, or black one way, and healed only once something was broken off or vanished."""

        def trace() -> int:
            return sum(link.dropped if fault.way is None else link.swallowed for link in links)

        before = trace()
        for link in links:
            link.cut() if fault.way is None else link.blackhole(fault.way)
        try:
            await asyncio.sleep(CUT_SECONDS)
            await eventually_async(lambda: trace() > before, deadline=10, that="the link was missed")
        finally:
            for link in links:
                link.heal()
        self.details[f"{fault.kind}: {'cut' if fault.way is None else f'lost what goes {fault.way}'}"] += 1

    async def _commit_swallowed(self, fault: Fault) -> None:
        link = self._to_postgres(_one_of(APIS, fault))
        assert isinstance(link, PostgresLink)
        before = link.acknowledgements
        link.swallow_next()
        await eventually_async(lambda: link.acknowledgements > before, that="an acknowledgement was kept back")

    async def _transaction_held(self, fault: Fault) -> None:
        """Hold an order's bucket in another transaction, which neither commits nor ends."""
        while True:
            connection = await self._connected()
            try:
                transaction = connection.transaction()
                await transaction.start()
                bucket = fault.which % 256
                await connection.execute("UPDATE log_heads SET position = position + 1 WHERE bucket = $1", bucket)
                await asyncio.sleep(HELD_SECONDS)
                await connection.fetchval("SELECT txid_current()")
                await transaction.rollback()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self.details[f"{Kind.TRANSACTION_HELD}: once more, as PostgreSQL was stopped"] += 1
            else:
                return
            finally:
                connection.terminate()

    async def _connected(self) -> asyncpg.Connection:
        """To PostgreSQL, as soon as it answers: another fault may have stopped it."""

        async def connection() -> asyncpg.Connection | None:
            try:
                return await self.deployment.connect()
            except (OSError, asyncpg.PostgresError):
                return None

        return await eventually_async(connection, every=0.2, that="PostgreSQL answers")

    async def _retries(self, _: Fault) -> None:
        await self.workload.retries(RETRIES)

    async def _rebalance(self, fault: Fault) -> None:
        await asyncio.to_thread(self._join, f"{TOPIC}-{_one_of(GROUPS, fault)}")

    def _join(self, group: str) -> None:
        """One more member of the group, which gets partitions of its own, does nothing with them, and leaves."""
        got: list[TopicPartition] = []

        def assigned(member: Consumer, partitions: list[TopicPartition]) -> None:
            got.extend(partitions)
            member.incremental_assign(partitions)
            member.pause(partitions)

        member = Consumer(
            {
                "bootstrap.servers": self.deployment.kafka.bootstrap_servers,
                "group.id": group,
                "partition.assignment.strategy": "cooperative-sticky",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
                "log_level": 0,
            }
        )
        member.subscribe([TOPIC], on_assign=assigned)
        try:
            for _ in range(600):
                member.poll(0.1)
                if got:
                    return
            raise FaultNotInjected(f"nothing of {group} was assigned to one more member")
        finally:
            try:
                member.close()
            except KafkaException as error:
                self.details[f"a member left {group} without a word: {error}"] += 1


def _one_of(names: Sequence[T], fault: Fault) -> T:
    return names[fault.which % len(names)]


def _must(trace: object, what: str) -> None:
    if not trace:
        raise FaultNotInjected(f"it is not so that {what}")
