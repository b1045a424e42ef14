"""Watches that no cursor moves back during the campaign, and waits for the lag to end."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from time import monotonic

import asyncpg
from attrs import define, field
from confluent_kafka import Consumer, KafkaException, TopicPartition
from orderflow.adapters.kafka.relay.offset_metadata import OffsetMetadata
from orderflow.application.event_log.records import BUCKETS

from ..invariants import Witness
from .deployment import PARTITIONS, TOPIC, Deployment

READERS = ("relay", "notifications", "analytics", "inventory", "webhooks")
FAR_BEHIND = 40_000
"""More events than that would take long at the end."""
ON_KAFKA = "relay, on Kafka"
SERVERS_DOWN = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@define(eq=False)
class Watch:
    """``witness`` has seen every cursor in the database, and the relays' on Kafka, about once a second.

    ``near`` is set while not more than FAR_BEHIND events are still to come, for all readers together.
    """

    deployment: Deployment
    witness: Witness = field(factory=Witness)
    near: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def __call__(self, enough: asyncio.Event) -> None:
        notes = Consumer(
            {
                "bootstrap.servers": self.deployment.kafka.bootstrap_servers,
                "group.id": f"{TOPIC}-relay",
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        try:
            while not enough.is_set():
                self.deployment.supervise()
                await self._look(notes)
                await asyncio.sleep(1.0)
        finally:
            await asyncio.to_thread(notes.close)

    async def _look(self, notes: Consumer) -> None:
        try:
            self.near.set() if await self.to_come() <= FAR_BEHIND else self.near.clear()
            self.witness.look(await self.cursors())
        except SERVERS_DOWN:
            self.witness.missed += 1
        try:
            self.witness.look({ON_KAFKA: await asyncio.to_thread(_on_kafka, notes)})
        except KafkaException:
            self.witness.missed += 1

    async def cursors(self) -> Mapping[str, Mapping[int, int]]:
        """Every reader's in the database. Raises SERVERS_DOWN."""
        connection = await self.deployment.connect()
        try:
            found: dict[str, dict[int, int]] = defaultdict(dict)
            for row in await connection.fetch("SELECT reader, bucket, position FROM cursors"):
                found[row["reader"]][row["bucket"]] = row["position"]
            return found
        finally:
            await connection.close()

    async def to_come(self) -> int:
        """Return the number of events that a reader has not finished. Raises SERVERS_DOWN."""
        connection = await self.deployment.connect()
        try:
            heads = await connection.fetchval("SELECT coalesce(sum(position), 0) FROM log_heads")
            query = "SELECT coalesce(sum(position), 0) FROM cursors WHERE reader = $1"
            return int(sum([heads - await connection.fetchval(query, reader) for reader in READERS]))
        finally:
            await connection.close()

    async def caught_up(self, within: float) -> float:
        """The seconds until nothing was left to do; raises AssertionError after so many."""
        began = monotonic()
        left: int | str = "no server answers"
        while monotonic() - began < within:
            try:
                left = await self.to_come()
            except SERVERS_DOWN as error:
                left = repr(error)
            if left == 0:
                return monotonic() - began
            await asyncio.sleep(0.2)
        raise AssertionError(f"after {within:g} s not all is done: {left}")


def _on_kafka(notes: Consumer) -> Mapping[int, int]:
    asked = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
    reached: dict[int, int] = {}
    for answer in notes.committed(asked, timeout=3):
        if answer.error is not None:
            raise KafkaException(answer.error)
        if answer.metadata:
            for bucket, position in OffsetMetadata.parse(answer.metadata, BUCKETS).positions.items():
                if bucket % PARTITIONS == answer.partition:
                    reached[bucket] = position
    return reached
