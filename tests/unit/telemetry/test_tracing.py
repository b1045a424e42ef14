"""Spans: joined by traceparent, sent over real OTLP to a collector on loopback, and nearly nothing when off."""

import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import ProxyTracerProvider
from orderflow import InvalidInput, OrderFlow, Settings
from orderflow.adapters import wire
from orderflow.adapters.telemetry.instrumented import InstrumentedRelayTopic, Telemetry
from orderflow.adapters.telemetry.instrumented_consumers import instrumented
from orderflow.adapters.telemetry.tracing import tracing as tracing_module
from orderflow.adapters.telemetry.tracing.message_spans import Destination
from orderflow.adapters.telemetry.tracing.tracing import Tracing, context_of, sampled, traceparent_of
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.event_log.records import LogRecord
from orderflow.application.noop import noop
from orderflow.application.relay.ports import OnFlushed
from orderflow.application.request_context import Request, answering, current_request, is_traceparent
from orderflow.domain.errors import NotConfigured, StreamUnavailable
from pytest_mock import MockerFixture

from tests.doors.entrypoints.test_embedded import placed
from tests.support.door import calling
from tests.support.otlp import OtlpReceiver, ReceivedSpan
from tests.support.waiting import eventually
from tests.unit.domain.actors import place

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = TRACE[:-2] + "00"
INTERNAL, SERVER, PRODUCER, CONSUMER = 1, 2, 4, 5


def test_a_provider_that_the_application_sets_up_later_is_found_within_a_second(mocker: MockerFixture) -> None:
    look = mocker.patch.object(tracing_module.trace, "get_tracer_provider", return_value=ProxyTracerProvider())
    now = mocker.patch.object(tracing_module, "monotonic", return_value=100.0)
    tracing = Tracing()

    before = [tracing.on for _ in range(100)]
    looks = look.call_count
    look.return_value = TracerProvider()
    now.return_value += tracing_module.LOOK_SECONDS

    assert not any(before)
    assert looks == 1, "each look reads the environment"
    assert tracing.on


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
async def flow(collector: OtlpReceiver) -> AsyncIterator[OrderFlow]:
    """An installation in memory that sends its spans to the collector."""
    async with OrderFlow.open(_sending(collector)) as opened:
        yield opened


def _sending(collector: OtlpReceiver, **more: Any) -> Settings:
    return Settings(
        database_url="memory://",
        poll_seconds=0.01,
        tracing_endpoint=collector.endpoint,
        service_name="kitchen",
        **more,
    )


def one(spans: Sequence[ReceivedSpan], name: str) -> ReceivedSpan:
    [span] = [span for span in spans if span.name == name]
    return span


def received(collector: OtlpReceiver, many: int) -> list[ReceivedSpan]:
    return eventually(lambda: len(collector.spans) >= many and list(collector.spans), that=f"{many} spans") or []


async def test_a_request_its_use_case_its_commit_and_its_handling_are_one_trace(collector: OtlpReceiver) -> None:
    async with OrderFlow.open(_sending(collector), consumers=("analytics",)) as flow:
        app = _app(flow)
        async with calling(app) as client:
            client.headers["traceparent"] = TRACE
            answer = await client.post("/v1/orders", json=_order())
        await flow.settled()
        [delivery] = await flow.timeline("o1")
    spans = received(collector, 4)

    request, command, commit = one(spans, "POST /v1/orders"), one(spans, "create_order"), one(spans, "commit")
    process = one(spans, "process order_events")
    assert {span.trace_id for span in spans} == {TRACE.split("-")[1]}
    assert [request.parent, command.parent, commit.parent, process.parent] == [
        TRACE.split("-")[2],
        request.span_id,
        command.span_id,
        command.span_id,
    ]
    assert [request.kind, command.kind, commit.kind, process.kind] == [SERVER, INTERNAL, INTERNAL, CONSUMER]
    assert request.attributes["http.response.status_code"] == 201
    assert answer.headers["traceparent"].split("-")[1:3] == [request.trace_id, request.span_id]
    assert delivery.record.traceparent.split("-")[1:3] == [command.trace_id, command.span_id]
    assert {span.service for span in spans} == {"kitchen"}
    assert all(span.start <= span.end for span in spans)


async def test_a_refusal_is_recorded_by_its_code_alone(flow: OrderFlow, collector: OtlpReceiver) -> None:
    with pytest.raises(InvalidInput):
        await placed(flow, "two words")
    [span] = received(collector, 1)

    assert (span.name, span.failed, span.attributes["error.type"]) == ("create_order", True, "invalid_input")
    assert not any(b"two words" in body for body in collector.raw)


async def test_of_what_begins_here_the_ratio_is_recorded_and_the_callers_word_counts(collector: OtlpReceiver) -> None:
    async with OrderFlow.open(_sending(collector, tracing_sample_ratio=0.0)) as flow:
        await placed(flow, "o1")
        with flow.correlated(traceparent=UNSAMPLED):
            await placed(flow, "o2")
        with flow.correlated(traceparent=TRACE):
            await placed(flow, "o3")
        traces = [(await flow.timeline(order_id))[0].record.traceparent for order_id in ("o1", "o2", "o3")]
    spans = received(collector, 2)

    assert [sampled(traceparent) for traceparent in traces] == [False, False, True]
    assert all(is_traceparent(traceparent) for traceparent in traces)
    assert sorted(span.name for span in spans) == ["commit", "create_order"]


async def test_a_collector_that_is_down_costs_spans_and_nothing_else() -> None:
    settings = Settings(database_url="memory://", tracing_endpoint="http://127.0.0.1:9/v1/traces")
    async with OrderFlow.open(settings, consumers=()) as flow:
        await placed(flow, "o1")

        assert (await flow.get_order("o1")).version == 1


async def test_without_the_sdk_an_endpoint_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orderflow.adapters.telemetry.tracing.otlp", None)
    settings = Settings(database_url="memory://", tracing_endpoint="http://127.0.0.1:9/v1/traces")

    with pytest.raises(NotConfigured, match=r"orderflow-service\[otlp\]"):
        async with OrderFlow.open(settings):
            pytest.fail("it was opened")


async def test_the_application_around_us_may_do_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)

    async with OrderFlow.in_memory(consumers=()) as flow:
        with provider.get_tracer("app").start_as_current_span("checkout") as around:
            await placed(flow, "o1")

    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"checkout", "create_order", "commit"}
    assert spans["create_order"].parent is not None
    assert spans["create_order"].parent.span_id == around.get_span_context().span_id


async def test_without_a_recorder_there_is_a_trace_all_the_same() -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        assert not flow.container.tracing().on
        await placed(flow, "o1")

        [delivery] = await flow.timeline("o1")

    assert is_traceparent(delivery.record.traceparent)
    assert not sampled(delivery.record.traceparent)


class SpanRecorder:
    """Spans that ended here."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Tracing(provider)
        self.telemetry = Telemetry(tracing=self.tracing, destination=Destination("orders", "kafka"))

    @property
    def spans(self) -> Sequence[Any]:
        return self.exporter.get_finished_spans()


class Topic:
    """A topic that takes all, or nothing."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def cursors(self) -> dict[int, int | None]:
        return {}

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Nothing to close."""


def a_record(traceparent: str = TRACE) -> LogRecord:
    [event] = place().events
    return wire.record(event, bucket=1, position=1, correlation_id="K1", traceparent=traceparent)


async def test_each_event_of_a_batch_is_sent_in_its_own_trace() -> None:
    recorded = SpanRecorder()
    topic = InstrumentedRelayTopic(Topic(), recorded.telemetry)

    await topic.publish([a_record(), a_record(UNSAMPLED), a_record("")])

    [span] = recorded.spans
    record = a_record()
    assert (span.name, span.kind.name) == ("send orders", "PRODUCER")
    assert traceparent_of(span).split("-")[1] == TRACE.split("-")[1]
    assert span.parent.span_id == int(TRACE.split("-")[2], 16)
    assert dict(span.attributes) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "orders",
        "messaging.message.id": record.event_id,
        "messaging.message.conversation_id": "K1",
        "messaging.message.body.size": len(record.body),
        "messaging.kafka.message.key": record.order_id,
        "messaging.batch.message_count": 3,
        "orderflow.event.type": "order.created",
    }


async def test_what_kafka_did_not_take_is_a_span_that_failed() -> None:
    recorded = SpanRecorder()
    topic = InstrumentedRelayTopic(Topic(StreamUnavailable("Kafka", "away")), recorded.telemetry)

    with pytest.raises(StreamUnavailable):
        await topic.publish([a_record()])

    [span] = recorded.spans
    assert (span.status.status_code.name, span.attributes["error.type"]) == ("ERROR", "stream_unavailable")


@pytest.mark.parametrize("failure", ["", "ValueError"])
def test_processing_is_a_span_of_the_consumers_group(failure: str) -> None:
    recorded = SpanRecorder()

    instrumented(Analyse(), recorded.telemetry).observe([a_record()], seconds=0.5, failure=failure)

    [span] = recorded.spans
    assert (span.name, span.kind.name) == ("process orders", "CONSUMER")
    assert span.attributes["messaging.consumer.group.name"] == "orders-analytics"
    assert span.end_time - span.start_time == 500_000_000
    assert span.attributes.get("error.type", "") == failure


def test_a_span_around_the_request_is_its_trace_from_then_on() -> None:
    recorded = SpanRecorder()

    with answering(Request(correlation_id="K1", traceparent=TRACE)):
        with recorded.tracing.span("outer") as outer:
            inside = current_request()
            with recorded.tracing.span("inner"):
                pass
        after = current_request()

    inner = recorded.spans[0]
    assert (inside.correlation_id, inside.traceparent) == ("K1", traceparent_of(outer))
    assert after.traceparent == TRACE
    assert inner.parent.span_id == outer.get_span_context().span_id
    assert not inner.parent.is_remote


def test_an_empty_traceparent_is_a_new_root() -> None:
    assert not context_of("")


def _app(flow: OrderFlow) -> Any:
    from orderflow.entrypoints.http import create_app

    return create_app(
        flow.use_cases,
        tokens=flow.container.storage().tokens,
        checks={},
        trust_actor_header=True,
        tracing=flow.container.tracing(),
    )


def _order() -> dict[str, Any]:
    line = {"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2}
    body = {"orderId": "o1", "userId": "C1", "restaurantId": "R7", "orderDetails": [line], "paymentMethod": "cash"}
    decoded: dict[str, Any] = json.loads(json.dumps(body))
    return decoded
