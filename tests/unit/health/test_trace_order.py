"""One order's way, from what log, topic and cursors know."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from orderflow import OrderFlow, OrderNotFound, Settings
from orderflow.application.event_log.records import LogRecord, RecordLocation
from orderflow.application.health.trace_order import Handling, Moment, TraceOrder
from orderflow.domain.actor import Actor
from orderflow.domain.errors import StreamUnavailable

from tests.doors.entrypoints.test_embedded import placed
from tests.support.commands import CommandLine, order_json

BOSS = Actor.parse("admin:boss")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Topic:
    """Every event stands on it, half a second after its commit; or it is away."""

    def __init__(self, failure: Exception | None = None, *, without: int = 0) -> None:
        self.failure = failure
        self.without = without

    async def find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        if self.failure is not None:
            raise self.failure
        return {
            record.event_id: RecordLocation("orders", 1, record.sequence, at + timedelta(milliseconds=500))
            for record, at in zip(records, since, strict=True)
            if record.sequence != self.without
        }


def tracing(flow: OrderFlow, **more: Any) -> TraceOrder:
    trace: TraceOrder = evolve(flow.container.trace_order(), **more)
    return trace


async def test_each_step_of_an_event_is_timed() -> None:
    before = datetime.now(UTC)
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "o1")
        await flow.settled()

        [event] = (await tracing(flow, locator=Topic())("o1", by=BOSS)).events

    assert event.requested is not None
    assert event.committed is not None
    assert event.published is not None
    assert before <= event.requested.at <= event.committed.at <= datetime.now(UTC)
    assert event.published.since(event.committed) == 500.0
    assert [(it.consumer, it.state) for it in event.handled] == [
        ("notifications", "handled"),
        ("analytics", "handled"),
        ("inventory", "handled"),
    ]
    assert all(it.moment is not None and it.moment.exact for it in event.handled)
    assert all(it.moment is not None and it.moment.at >= event.committed.at for it in event.handled)


async def test_a_cursor_that_has_gone_on_shows_only_the_latest_moment() -> None:
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "o1")
        await flow.settled()
        await flow.assign_shipper("o1", "S1")
        await flow.settled()

        first, *_, last = (await tracing(flow)("o1", by=BOSS)).events

    exact = {it.consumer: it.moment.exact for it in first.handled if it.moment}
    assert exact == {"notifications": True, "analytics": False, "inventory": False}
    assert all(it.moment is not None and it.moment.exact for it in last.handled)


async def test_what_is_not_handled_yet_waits() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await placed(flow, "o1")

        [event] = (await tracing(flow)("o1", by=BOSS)).events

    assert event.handled == tuple(Handling(name, "waiting") for name in ("notifications", "analytics", "inventory"))
    assert event.published is None


async def test_what_is_parked_says_so_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("no paper")

    monkeypatch.setattr("orderflow.application.analytics.analyse.Analyse.handle", broken)
    async with OrderFlow.in_memory() as flow:
        await placed(flow, "o1")
        with pytest.raises(ValueError, match="no paper"):
            await flow.settled()
        [dead_letter] = await flow.container.effects().dead_letters.of_order("analytics", "o1")

        [event] = (await tracing(flow)("o1", by=BOSS)).events

    assert event.handled[1] == Handling(
        "analytics", "parked", Moment(dead_letter.first_failed_at), "ValueError: no paper"
    )


async def test_a_record_that_the_topic_has_no_more_was_there_by_the_relays_floor() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await placed(flow, "o1")
        await flow.assign_shipper("o1", "S1")
        bucket = (await flow.timeline("o1"))[0].record.bucket
        await flow.container.storage().cursors.put("relay", {bucket: 2})

        traced = await tracing(flow, locator=Topic(without=1))("o1", by=BOSS)

    first, second, third = traced.events
    assert traced.notes == ("1 of the published events were not found on the topic in time, or have expired",)
    assert first.location is None
    assert first.published is not None
    assert not first.published.exact
    assert second.published is not None
    assert second.published.exact
    assert third.location is not None


async def test_a_topic_that_does_not_answer_is_a_note() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await placed(flow, "o1")

        traced = await tracing(flow, locator=Topic(StreamUnavailable("Kafka", "away")))("o1", by=BOSS)

    assert len(traced.events) == 1
    assert "Kafka does not answer" in traced.notes[0]


async def test_an_order_that_is_not_there_is_not_found() -> None:
    async with OrderFlow.open(Settings(database_url="memory://")) as flow:
        with pytest.raises(OrderNotFound):
            await tracing(flow)("none", by=BOSS)


def test_the_command_shows_it_as_a_table_and_as_json(sqlite_url: str) -> None:
    cli = CommandLine(sqlite_url)
    cli.json("--correlation-id", "K1", "orders", "create", "-", stdin=order_json("o1"))

    shown = cli("orders", "trace", "o1")
    [event] = cli.json("orders", "trace", "o1")["events"]

    assert "order.created" in shown.out
    assert "waiting" in shown.out
    assert (event["correlationId"], event["published"], event["record"]) == ("K1", None, None)
    assert event["requested"]["at"] <= event["committed"]["at"]
    assert event["committed"]["ms"] >= 0
    assert event["handled"][0] == {"consumer": "notifications", "state": "waiting"}
    assert cli("orders", "trace", "o2").code == 3


@pytest.mark.parametrize(("after", "ms"), [(1500, 1500.0), (-2, -2.0), (0.25, 0.2)])
def test_steps_are_in_milliseconds(after: float, ms: float) -> None:
    moment = Moment(NOON + timedelta(milliseconds=after))

    assert moment.since(Moment(NOON)) == ms
    assert moment.since(None) is None
