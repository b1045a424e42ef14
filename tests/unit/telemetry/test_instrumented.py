"""Commands, commits, publishing and channels are counted by how they ended, and end as they would have."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from attrs import frozen
from orderflow import InvalidInput, Money, OrderFlow, OrderLine
from orderflow.adapters.memory import MemoryTopic
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.instrumented import (
    InstrumentedCommand,
    InstrumentedNotifier,
    InstrumentedPublishing,
    InstrumentedRelayTopic,
    Telemetry,
)
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.telemetry.metrics.kafka_clients import KafkaClients
from orderflow.application.event_log.records import LogRecord
from orderflow.application.noop import noop
from orderflow.application.notifications.notification import Contact, Message, Receipt
from orderflow.application.relay.ports import OnFlushed
from orderflow.domain.errors import ChannelUnavailable, IllegalTransition, StreamUnavailable
from orderflow.testing.consumers.shop import Shop

from tests.support.metrics import Samples
from tests.support.waiting import eventually_async

PIZZA = OrderLine(food_id="F1", food_name="Pizza", price=Money("9.00", "EUR"), quantity=1, discount=Money("0", "EUR"))


async def test_each_command_is_counted_by_its_outcome_and_each_commit_with_it() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        for order_id in ("o1", "o2"):
            await flow.create_order(
                customer_id="C1", restaurant_id="R1", lines=[PIZZA], currency="EUR", order_id=order_id
            )
        with pytest.raises(InvalidInput):
            await flow.create_order(customer_id="C1", restaurant_id="R1", lines=[], currency="EUR")
        with pytest.raises(IllegalTransition):
            await flow.transition_order_state("o1", "delivered")
        await flow.transition_order_state("o1", "cancelled", reason="late")
        await flow.cancel_order("o2", "late")

        seen = Samples.counted(flow.container.instruments())

    assert seen.by(catalogue.COMMANDS, "outcome", command="create_order") == {"ok": 2, "invalid_input": 1}
    assert seen.by(catalogue.COMMANDS, "outcome", command="transition_order_state") == {
        "ok": 1,
        "illegal_transition": 1,
    }
    assert seen.by(catalogue.COMMANDS, "outcome", command="cancel_order") == {"ok": 1}
    assert seen.by(catalogue.COMMAND_SECONDS, "command", "_count") == seen.by(catalogue.COMMANDS, "command")
    assert seen.by(catalogue.COMMIT_SECONDS, "outcome", "_count") == {"ok": 4}


async def test_a_fault_in_a_command_counts_as_other_and_is_raised() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    instruments = Instruments()

    with pytest.raises(ZeroDivisionError):
        await InstrumentedCommand("create_order", broken, Telemetry(instruments), str)()

    assert Samples.counted(instruments).by(catalogue.COMMANDS, "outcome") == {"other": 1}


async def test_who_gives_up_before_the_answer_is_not_counted() -> None:
    instruments, asking = Instruments(), asyncio.Event()

    async def slow() -> None:
        asking.set()
        await asyncio.Event().wait()

    asked = asyncio.create_task(InstrumentedCommand("create_order", slow, Telemetry(instruments), str)())
    await asking.wait()

    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    assert Samples.counted(instruments).total(catalogue.COMMANDS) == 0


class BrokenTopic(MemoryTopic):
    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        raise StreamUnavailable("Kafka", "gone")


@pytest.mark.parametrize(("topic", "outcome"), [(MemoryTopic(), "ok"), (BrokenTopic(), "failed")])
async def test_a_relays_transaction_is_counted_by_type_and_outcome_with_its_size(
    topic: MemoryTopic, outcome: str
) -> None:
    shop, instruments = Shop(), Instruments()
    await shop.live("o1")
    records = await shop.records()

    await asyncio.gather(InstrumentedRelayTopic(topic, Telemetry(instruments)).publish(records), return_exceptions=True)

    seen = Samples.counted(instruments)
    assert seen.by(catalogue.SENT_MESSAGES, "outcome", via="relay") == {outcome: len(records)}
    assert seen.total(catalogue.SENT_MESSAGES, type="order.state_changed") == 3
    assert seen.by(catalogue.SEND_SECONDS, "outcome", "_count") == {outcome: 1}
    assert seen.total(catalogue.SEND_BATCH, "_sum", via="relay") == len(records)


async def test_of_a_direct_publishing_each_event_has_its_own_outcome() -> None:
    shop, instruments = Shop(), Instruments()
    await shop.live("o1")
    records = (await shop.records())[:3]

    InstrumentedPublishing(Telemetry(instruments), "direct")(records, [True, False, True], 0.004)

    seen = Samples.counted(instruments)
    assert seen.by(catalogue.SENT_MESSAGES, "outcome", via="direct") == {"ok": 2, "failed": 1}
    assert seen.by(catalogue.SEND_SECONDS, "outcome", "_count") == {"failed": 1}


@frozen
class Channel:
    answer: Receipt | Exception
    name: str = "email"

    def address(self, party: str, contact: Contact | None) -> str | None:
        return f"{party}@example.org"

    async def send(self, message: Message) -> Receipt:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Receipt(True), "sent"),
        (Receipt(False), "refused"),
        (ChannelUnavailable("email", "busy"), "unavailable"),
        (ValueError("c1@example.org"), "failed"),
    ],
)
async def test_a_message_is_counted_by_what_its_channel_said(answer: Receipt | Exception, outcome: str) -> None:
    instruments = Instruments()
    channel = InstrumentedNotifier(Channel(answer), instruments)
    message = Message(
        key="k", recipient="C1", address="a@b", subject="", text="", order_id="o1", sequence=1, event_type="t"
    )

    said = await asyncio.gather(channel.send(message), return_exceptions=True)

    assert said == [answer]
    assert (channel.name, channel.address("C1", None)) == ("email", "C1@example.org")
    assert Samples.counted(instruments).by(catalogue.NOTIFIED, "outcome", "_count") == {outcome: 1}


def test_the_statistics_of_librdkafka_become_metrics() -> None:
    instruments = Instruments()
    clients = KafkaClients(instruments)
    broker = {
        "nodeid": 1,
        "state": "UP",
        "txerrs": 2,
        "rxerrs": 1,
        "req_timeouts": 1,
        "rtt": {"cnt": 4, "p50": 900, "p99": 5000},
    }
    bootstrap = {"nodeid": -1, "state": "INIT"}
    topics = {"orders": {"partitions": {"0": {"fetchq_cnt": 5, "fetchq_size": 50}, "-1": {}}}}
    statistics = {
        "name": "c#1",
        "msg_cnt": 7,
        "msg_size": 70,
        "brokers": {"a": broker, "b": bootstrap},
        "topics": topics,
    }

    clients.statistics("relay", json.dumps(statistics))
    clients.statistics(
        "relay", json.dumps({**statistics, "brokers": {"a": {**broker, "txerrs": 3, "state": "DOWN", "rtt": {}}}})
    )

    seen = Samples.counted(instruments)
    assert seen.by(catalogue.QUEUE_MESSAGES, "client") == {"relay": 12}
    assert seen.by(catalogue.QUEUE_BYTES, "client") == {"relay": 120}
    assert seen.by(catalogue.BROKER_ROUND_TRIP, "quantile", broker="1") == {"0.5": 0.0009, "0.99": 0.005}
    assert seen.by(catalogue.BROKER_ERRORS, "broker") == {"1": 5}
    assert seen.total(catalogue.BROKER_UP) == 0


def test_a_client_that_was_closed_leaves_no_connection_behind() -> None:
    instruments = Instruments()
    clients = KafkaClients(instruments)
    for client in ("relay", "analytics"):
        up = {"name": f"{client}#1", "msg_cnt": 7, "msg_size": 70, "brokers": {"a": {"nodeid": 1, "state": "UP"}}}
        clients.statistics(client, json.dumps(up))

    clients.closed("relay")

    seen = Samples.counted(instruments)
    assert seen.by(catalogue.BROKER_UP, "client") == {"analytics": 1}
    assert seen.by(catalogue.QUEUE_MESSAGES, "client") == {"analytics": 7}


def test_a_broker_that_a_client_has_forgotten_is_not_connected() -> None:
    instruments = Instruments()
    clients = KafkaClients(instruments)
    both = {"a": {"nodeid": 1, "state": "UP", "txerrs": 2}, "b": {"nodeid": 2, "state": "UP"}}
    for instance in ("c#1", "c#2"):
        clients.statistics("relay", json.dumps({"name": instance, "brokers": both}))

    clients.statistics("relay", json.dumps({"name": "c#1", "brokers": {"b": both["b"]}}))
    of_one_forgotten = Samples.counted(instruments).by(catalogue.BROKER_UP, "broker")
    clients.statistics("relay", json.dumps({"name": "c#1", "brokers": {}}))
    of_both_forgotten = Samples.counted(instruments).by(catalogue.BROKER_UP, "broker")
    clients.statistics("relay", json.dumps({"name": "c#1", "brokers": both}))

    seen = Samples.counted(instruments)
    assert of_one_forgotten == {"2": 1}
    assert of_both_forgotten == {}
    assert seen.by(catalogue.BROKER_UP, "broker") == {"1": 1, "2": 1}
    assert seen.by(catalogue.BROKER_ERRORS, "broker") == {"1": 6}


@pytest.mark.parametrize("said", ["{", '{"brokers": 7}', ""])
def test_statistics_that_are_not_understood_break_nothing(said: str) -> None:
    instruments = Instruments()

    KafkaClients(instruments).statistics("relay", said)

    assert Samples.counted(instruments).total(catalogue.QUEUE_MESSAGES) == 0


async def test_statements_and_connections_of_a_database_are_counted(sqlite_url: str) -> None:
    async with OrderFlow.open(sqlite_url) as flow:
        await flow.create_order(customer_id="C1", restaurant_id="R1", lines=[PIZZA], currency="EUR")
        async with flow.container.storage().database.reading():
            during = Samples.counted(flow.container.instruments())
        await eventually_async(  # this process's heartbeat has a connection now and then
            lambda: Samples.counted(flow.container.instruments()).by(catalogue.POOL, "state").keys() == {"idle"},
            that="no connection is used any more",
        )
        after = Samples.counted(flow.container.instruments())

    assert {"select", "insert"} <= after.by(catalogue.STATEMENT_SECONDS, "operation", "_count").keys()
    assert during.by(catalogue.POOL, "state")["used"] >= 1
    assert after.total(catalogue.POOL_MAX) == 10
