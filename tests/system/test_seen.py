"""Orders through separate real processes, as their logs, traces and the command line show them.

One installation lives once for all tests here: an API, a relay and three consumers, each a process of its own, on a
real PostgreSQL and a real Kafka, with a mail server and a collector of spans. Secrets are planted wherever something
can be written, and errors are provoked around them.
"""

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from attrs import define, field, frozen
from orderflow.adapters.kafka import KafkaSettings

from tests.integration.kafka.conftest import TopicRecord, on_topic
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.kafka import KafkaBroker
from tests.support.otlp import OtlpReceiver
from tests.support.postgres import PostgresServer
from tests.support.servers import free_port
from tests.support.smtp import SmtpServer
from tests.support.stack import Stack
from tests.support.waiting import eventually

PATIENCE = 180
"""Seconds; a machine that does much else starts six processes slowly."""
CONSUMERS = ("notifications", "analytics", "inventory")
BEHIND = """
    SELECT bucket FROM log_heads
    CROSS JOIN unnest(ARRAY['notifications', 'analytics', 'inventory']) AS r(reader)
    LEFT JOIN cursors USING (reader, bucket) WHERE log_heads.position > coalesce(cursors.position, 0)
"""
LIVED, SHORT, REFUSED, PARKED = "o-lived", "o-short", "o-refused", "o-parked"
K_LIVED, K_SHORT, K_REFUSED, K_PARKED = "K-lived-91", "K-short-92", "K-refused-93", "K-parked-94"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

PERSONAL: Mapping[str, str] = {
    "street": "Sycamore-Planted-Street 12",
    "city": "Plantedville",
    "postal code": "PL4NT-ED",
    "note": "the planted key is under the mat",
    "name": "Plantedina",
    "telephone number": "+49 30 5550142",
    "order note": "planted-without-onions",
    "metadata": "planted-table-12",
    "card token": "tok_planted_card",
    "email": "planted.person@mail.example",
    "database password": "planted-db-pw",
    "SMTP password": "planted-smtp-pw",
    "Kafka secret": "planted-sasl-pw",
    "an unknown token": "of_planted_unknown_token",
    "an idempotency key": "planted-idempotency-key",
    "a parameter": "planted-parameter",
    "a path": "planted.path@mail.example",
}
"""Nowhere but in the tables of orders and contacts, and in mails."""
FREE_TEXT: Mapping[str, str] = {"dish": "Planted-Dish", "reason": "planted reason of a person"}
"""On the events, by contract; in no line, no metric, no span and no error of a dead letter."""


@frozen
class RunOutput:
    """Everything that the processes have written, and clients for further requests."""

    logs: Mapping[str, str]
    installation: Installation
    collector: OtlpReceiver
    metrics: str
    records: Sequence[TopicRecord]
    bodies: Sequence[str]
    dead_letters: Sequence[Mapping[str, Any]]
    bearer: str
    traces: Mapping[str, Any]

    def lines(self, name: str) -> list[Mapping[str, Any]]:
        """All that a process has said, every line of it one JSON object."""
        return [json.loads(line) for line in self.logs[name].splitlines()]

    def grep(self, text: str) -> dict[str, list[Mapping[str, Any]]]:
        """As ``grep TEXT *.log``: the lines that have it, by process."""
        found = {
            name: [json.loads(line) for line in log.splitlines() if text in line] for name, log in self.logs.items()
        }
        return {name: lines for name, lines in found.items() if lines}


@define
class RunningInstallation:
    """The installation while it lives."""

    here: Installation
    url: str
    processes: dict[str, RunningProcess] = field(factory=dict)

    def start(self, name: str, *arguments: str) -> RunningProcess:
        self.processes[name] = self.here.start(*arguments)
        return self.processes[name]

    def caught_up(self) -> bool:
        """Return whether every consumer's cursors are at the log's heads."""
        return not _sql(self.url, BEHIND)


@pytest.fixture(scope="module")
def lived(
    postgres: PostgresServer, kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunOutput]:
    folder, topic = tmp_path_factory.mktemp("seen"), f"orders-{uuid.uuid4().hex[:12]}"
    plain_url = postgres.create_database()
    with SmtpServer() as smtp, OtlpReceiver() as collector:
        stack = Stack(
            folder, with_password(plain_url), kafka.bootstrap_servers, topic, settings=_settings(smtp, collector)
        )
        with installation(stack) as here:
            upgraded = here.start("db", "upgrade")
            assert upgraded.exit_code(within=PATIENCE) == 0, upgraded.said()
            here.run("topics", "create")
            yield _live(RunningInstallation(here, plain_url), collector, upgraded)


def with_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    who, _, where = rest.rpartition("@")
    return f"{scheme}://{who.partition(':')[0] or 'postgres'}:{PERSONAL['database password']}@{where}"


def _settings(smtp: SmtpServer, collector: OtlpReceiver) -> Mapping[str, str]:
    return {
        "ORDERFLOW_NOTIFICATION_CHANNELS": "log,email",
        "ORDERFLOW_SMTP_HOST": smtp.host,
        "ORDERFLOW_SMTP_PORT": str(smtp.port),
        "ORDERFLOW_SMTP_PASSWORD": PERSONAL["SMTP password"],
        "ORDERFLOW_KAFKA_SASL_PASSWORD": PERSONAL["Kafka secret"],
        "ORDERFLOW_KAFKA_DEBUG": "conf",
        "ORDERFLOW_TRACING_ENDPOINT": collector.endpoint,
        "ORDERFLOW_SERVICE_NAME": "seen",
    }


def _live(living: RunningInstallation, collector: OtlpReceiver, upgraded: RunningProcess) -> RunOutput:
    here, url = living.here, living.url
    here.run("contacts", "set", "customer:C1", "--email", PERSONAL["email"])
    here.run("stock", "set", "R7", "F-short", "0")
    token = here.run("tokens", "make", "--role", "admin", "--id", "boss")["token"]
    _sql(
        url,
        f"ALTER TABLE orders ADD CONSTRAINT refused CHECK (id <> '{REFUSED}')",
        f"ALTER TABLE notifications ADD CONSTRAINT refused CHECK (order_id <> '{PARKED}')",
    )
    api = living.start("api", "serve", "--no-relay", "--no-consumers")
    eventually(lambda: '"listening"' in api.said(), deadline=PATIENCE, every=0.1, that="the API listens")
    living.start("relay", "relay")
    for name in CONSUMERS:
        living.start(name, "consume", name)
    with httpx.Client(base_url=api.url, timeout=30, headers={"Authorization": f"Bearer {token}"}) as asking:
        _orders(asking)
        _errors(asking)
        eventually(living.caught_up, deadline=PATIENCE, every=0.2, that="all is handled")
        eventually(
            lambda: "order.cancelled" in str(here.run("orders", "timeline", SHORT)), deadline=PATIENCE, every=0.2
        )
        eventually(living.caught_up, deadline=PATIENCE, every=0.2, that="all is handled")
        metrics = httpx.get(f"{api.operations}/metrics", timeout=180).text
    traces = {order_id: _trace(here, order_id) for order_id in (LIVED, SHORT, PARKED)}
    for process in living.processes.values():
        process.process.terminate()
    ended = {name: process.process.wait(PATIENCE) for name, process in living.processes.items()}
    assert set(ended.values()) == {0}, ended
    return RunOutput(
        logs={"upgrade": _talk(upgraded), **{name: process.said() for name, process in living.processes.items()}},
        installation=here,
        collector=collector,
        metrics=metrics,
        records=on_topic(KafkaSettings(bootstrap_servers=here.stack.bootstrap_servers, topic=here.stack.topic)),
        bodies=[row["body"].decode() for row in _sql(url, "SELECT body FROM order_events")],
        dead_letters=[dict(row) for row in _sql(url, "SELECT * FROM dead_letters")],
        bearer=token,
        traces=traces,
    )


def _trace(here: Any, order_id: str) -> Any:
    """Return the trace once every event was found on the topic; a busy broker may take longer than one search."""

    def complete() -> Any:
        trace = here.run("orders", "trace", order_id)
        return trace if all(event["record"] for event in trace["events"]) else None

    return eventually(complete, deadline=PATIENCE, every=0.2, that=f"all events of {order_id} are found")


def _talk(command: RunningProcess) -> str:
    """Return the log lines of a command, without its data."""
    return "".join(line for line in command.said().splitlines(keepends=True) if line.startswith("{"))


def _orders(asking: httpx.Client) -> None:
    def order(order_id: str, correlation_id: str, food: str = "F1", **headers: str) -> httpx.Response:
        return asking.post("/v1/orders", json=_body(order_id, food), headers=_of(correlation_id, **headers))

    lived = _of(K_LIVED, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    steps = [
        order(LIVED, K_LIVED, traceparent=lived["traceparent"]),
        asking.post(f"/v1/orders/{LIVED}/payment", json={}, headers=lived),
        asking.put(f"/v1/orders/{LIVED}/shipper", json={"shipperId": "S1"}, headers=lived),
        asking.patch(f"/v1/orders/{LIVED}/state", json={"state": "on_the_way"}, headers=lived),
        asking.patch(f"/v1/orders/{LIVED}/state", json={"state": "delivered"}, headers=lived),
        order(SHORT, K_SHORT, "F-short"),
        order(PARKED, K_PARKED),
        asking.post(f"/v1/orders/{PARKED}/cancel", json={"reason": FREE_TEXT["reason"]}, headers=_of(K_PARKED)),
    ]
    assert all(step.is_success for step in steps), [step.text for step in steps]
    assert all(step.headers["x-correlation-id"] == K_LIVED for step in steps[:5])
    assert order(REFUSED, K_REFUSED).status_code == 500


def _errors(asking: httpx.Client) -> None:
    """Refusals of all kinds, each with secrets in what is refused."""
    body, secrets = _body("o-wrong"), list(PERSONAL.values())
    wrong: list[Mapping[str, Any]] = [
        {**body, "address": " ".join(secrets)},
        {**body, "address": {**body["address"], "note": "x" * 501 + PERSONAL["note"]}},
        {**body, "address": {**body["address"], "city": ""}},
        {**body, "customerName": PERSONAL["name"] * 20},
        {**body, "customerPhone": PERSONAL["telephone number"] + "\n"},
        {**body, "note": [PERSONAL["order note"]]},
        {**body, "metadata": {PERSONAL["metadata"] * 5: "x"}},
        {**body, "metadata": {"x": PERSONAL["metadata"] + "\0"}},
        {**body, "metadata": {PERSONAL["metadata"]: 1}},
        {**body, "metadata": {f"{PERSONAL['metadata']}-{number}": "" for number in range(21)}},
        {**body, "cardToken": PERSONAL["card token"] + " with spaces"},
        {**body, "paymentMethod": PERSONAL["card token"]},
        {**body, "paymentMethod": "cash"},
        {**body, "userId": PERSONAL["street"]},
        {**body, "orderId": PERSONAL["note"]},
        {**body, "totalPrice": PERSONAL["card token"]},
        {**body, "currency": PERSONAL["email"]},
        {**body, "unknown": secrets},
        {**body, "orderDetails": secrets},
    ]
    answers = [asking.post("/v1/orders", json=each, headers=_of("K-wrong")) for each in wrong]
    assert all(400 <= answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    as_json = _of("K-wrong", **{"Content-Type": "application/json"})
    key = {"Idempotency-Key": PERSONAL["an idempotency key"]}
    more = [
        asking.post("/v1/orders", content=b'{"address": "' + PERSONAL["note"].encode(), headers=as_json),
        asking.get(f"/v1/orders/{PERSONAL['a path']}"),
        asking.get(f"/{PERSONAL['a path']}"),
        asking.get("/v1/orders", params={"secret": PERSONAL["a parameter"]}),
        asking.get("/v1/orders", params={"cursor": PERSONAL["a parameter"]}),
        asking.get("/v1/orders", params={"q": PERSONAL["name"]}),
        asking.get("/v1/orders:count", params={"q": PERSONAL["telephone number"]}),
        asking.get("/v1/orders", params={"q": PERSONAL["name"], "cursor": PERSONAL["name"]}),
        asking.get("/v1/orders", params={"q": PERSONAL["name"] * 20}),
        asking.get("/v1/stream", params={"ticket": PERSONAL["an unknown token"]}),
        asking.get("/v1/stream", params={"lastEventId": PERSONAL["a parameter"]}),
        asking.get("/v1/orders", headers={"Authorization": f"Bearer {PERSONAL['an unknown token']}"}),
        asking.get("/v1/orders", headers={"Authorization": f"Basic {PERSONAL['an unknown token']}"}),
        asking.get("/v1/orders", headers={"X-Correlation-ID": PERSONAL["note"], "traceparent": PERSONAL["note"]}),
        asking.post(f"/v1/orders/{LIVED}/cancel", json={"reason": FREE_TEXT["reason"]}),
        asking.post("/v1/orders", json=_body("o-keyed"), headers=key),
        asking.post("/v1/orders", json=_body("o-keyed-again"), headers=key),
        asking.post("/v1/orders", json={**_body(LIVED), "userId": "C2"}),
    ]
    statuses = [answer.status_code for answer in more]
    assert statuses == [400, 404, 404, 400, 400, 200, 200, 400, 400, 401, 400, 401, 401, 200, 409, 201, 422, 409], str(
        statuses
    )


def _of(correlation_id: str, **more: str) -> dict[str, str]:
    return {"X-Correlation-ID": correlation_id, **more}


def _body(order_id: str, food: str = "F1") -> dict[str, Any]:
    return {
        "orderId": order_id,
        "userId": "C1",
        "restaurantId": "R7",
        "orderDetails": [{"foodId": food, "foodName": FREE_TEXT["dish"], "price": 12.5, "quantity": 1}],
        "paymentMethod": "card",
        "cardToken": PERSONAL["card token"],
        "address": {
            "street": PERSONAL["street"],
            "city": PERSONAL["city"],
            "postalCode": PERSONAL["postal code"],
            "note": PERSONAL["note"],
        },
        "customerName": PERSONAL["name"],
        "customerPhone": PERSONAL["telephone number"],
        "note": PERSONAL["order note"],
        "metadata": {PERSONAL["metadata"]: PERSONAL["metadata"]},
    }


def _sql(url: str, *statements: str) -> list[asyncpg.Record]:
    """Return the rows of the last statement."""

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                found: list[asyncpg.Record] = await connection.fetch(statement)
            return found
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_one_grep_shows_an_orders_whole_life(lived: RunOutput) -> None:
    found = lived.grep(K_LIVED)

    handled = {name: [it["type"] for it in found[name] if it["event"] == "handled"] for name in CONSUMERS}
    life = [event["type"] for event in lived.traces[LIVED]["events"]]
    changed = [type_ for it in found["api"] if it["event"] == "order changed" for type_ in it["types"]]
    requests = [(it["method"], it["status"]) for it in found["api"] if it["event"] == "request"]
    assert len(life) == 7
    assert changed == life
    assert handled == dict.fromkeys(CONSUMERS, life)
    assert requests == [("POST", 201), ("POST", 200), ("PUT", 200), ("PATCH", 200), ("PATCH", 200)]
    assert {it["order_id"] for lines in found.values() for it in lines if "order_id" in it} == {LIVED}
    assert {it["trace_id"] for lines in found.values() for it in lines} == {TRACE}
    assert all(it["duration"] >= 0 for name in CONSUMERS for it in found[name] if it["event"] == "handled")


def test_what_a_consumer_causes_carries_the_id_of_what_caused_it(lived: RunOutput) -> None:
    found = lived.grep(K_SHORT)

    [cancelled] = [it for it in found["inventory"] if it["event"] == "order changed"]
    assert (cancelled["order_id"], cancelled["command"]) == (SHORT, "cancel_order")
    assert "order.cancelled" in cancelled["types"]
    for name in CONSUMERS:
        assert [it["type"] for it in found[name] if it["event"] == "handled"][-1] == "order.cancelled"
    assert {it["to"] for it in found["notifications"] if it["event"] == "notification"} == {
        "customer:C1",
        "restaurant:R7",
    }


def test_a_failure_is_found_by_the_same_id(lived: RunOutput) -> None:
    refused, parked = lived.grep(K_REFUSED), lived.grep(K_PARKED)

    [fault] = [it for it in refused["api"] if it["level"] == "error"]
    failed = [it for it in parked["notifications"] if it["event"] == "event failed"]
    [dead_letter] = [it for it in parked["notifications"] if it["event"] == "order parked"]
    assert "Error" in fault["error"]["code"]
    assert "Traceback" in fault["exception"]
    assert [it["attempt"] for it in failed] == [1, 2, 3]
    assert (dead_letter["order_id"], dead_letter["consumer"], dead_letter["attempt"]) == (PARKED, "notifications", 3)


def test_every_line_of_every_process_has_one_form(lived: RunOutput) -> None:
    lines = {name: lived.lines(name) for name in lived.logs}

    assert all({"time", "level", "event", "logger"} <= line.keys() for said in lines.values() for line in said)
    loggers = {line["logger"] for said in lines.values() for line in said}
    assert {"alembic.runtime.migration", "uvicorn.error", "orderflow.http", "orderflow.consumer"} <= loggers
    assert all(isinstance(line["error"], dict) for said in lines.values() for line in said if "error" in line)


def test_the_spans_of_an_order_are_one_trace_across_all_processes(lived: RunOutput) -> None:
    spans = lived.collector.of_trace(TRACE)
    by_name: dict[str, list[Any]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    topic = lived.installation.stack.topic
    [request], [command] = by_name["POST /v1/orders"], by_name["create_order"]
    [commit] = [span for span in by_name["commit"] if span.parent == command.span_id]
    [sent] = [span for span in by_name[f"send {topic}"] if span.parent == command.span_id]
    processed = [span for span in by_name[f"process {topic}"] if span.parent == command.span_id]

    assert request.parent == "00f067aa0ba902b7"
    assert command.parent == request.span_id
    assert commit.end <= sent.end <= max(span.end for span in processed)
    assert {span.attributes["messaging.consumer.group.name"] for span in processed} == {
        f"{topic}-{name}" for name in CONSUMERS
    }
    assert {span.attributes["messaging.message.id"] for span in (sent, *processed)} == {
        lived.traces[LIVED]["events"][0]["id"]
    }
    assert sent.attributes["messaging.message.conversation_id"] == K_LIVED


def test_the_command_line_shows_an_orders_way(lived: RunOutput) -> None:
    for event in lived.traces[LIVED]["events"]:
        requested, committed, published = event["requested"], event["committed"], event["published"]

        assert requested["at"] <= committed["at"] <= published["at"]
        assert all(step["exact"] for step in (requested, committed, published))
        assert committed["ms"] >= 0
        assert published["ms"] >= 0
        assert [(it["consumer"], it["state"]) for it in event["handled"]] == [(name, "handled") for name in CONSUMERS]
        assert all(it["ms"] >= 0 for it in event["handled"])
        assert event["handled"][0]["exact"]
        assert event["record"]["topic"] == lived.installation.stack.topic


def test_the_command_line_agrees_with_the_topic_and_shows_what_is_parked(lived: RunOutput) -> None:
    standing = {record.headers["ce_id"]: (record.partition, record.offset) for record in lived.records}

    for traced in lived.traces.values():
        for event in traced["events"]:
            assert standing[event["id"]] == (event["record"]["partition"], event["record"]["offset"])
    parked = [event["handled"][0]["state"] for event in lived.traces[PARKED]["events"]]
    assert set(parked) == {"parked"}


@pytest.mark.parametrize("name", [*PERSONAL, "the bearer token"])
def test_planted_secrets_are_nowhere(lived: RunOutput, name: str) -> None:
    secret = PERSONAL.get(name, lived.bearer)

    assert not _where(lived, secret, events=True)


@pytest.mark.parametrize("name", FREE_TEXT)
def test_free_text_is_on_events_alone(lived: RunOutput, name: str) -> None:
    assert any(FREE_TEXT[name] in body for body in lived.bodies)
    assert not _where(lived, FREE_TEXT[name], events=False)


def _where(lived: RunOutput, secret: str, *, events: bool) -> list[str]:
    """In which of all that was written it turns up."""
    texts = {f"log of {name}": log for name, log in lived.logs.items()}
    texts["metrics"] = lived.metrics
    texts["spans"] = "\n".join(body.decode("utf-8", "replace") for body in lived.collector.raw)
    for dead_letter in lived.dead_letters:
        texts[f"dead letter {dead_letter['order_id']}"] = (
            f"{dead_letter['message']} {dead_letter['trace']} {dead_letter['error']}"
        )
    if events:
        texts["log of events"] = "\n".join(lived.bodies)
        texts["topic"] = "\n".join(f"{record.value!r} {record.headers}" for record in lived.records)
        texts["events of dead letters"] = "\n".join(dead_letter["body"].decode() for dead_letter in lived.dead_letters)
    escaped = json.dumps(secret)[1:-1]
    return [place for place, text in texts.items() if secret in text or escaped in text]


def test_the_search_would_have_found_them(lived: RunOutput) -> None:
    """The same search finds what may be there, and there is something of everything to search in."""
    assert _where(lived, K_LIVED, events=True) == [
        "log of api",
        *(f"log of {name}" for name in CONSUMERS),
        "spans",
        "topic",
    ]
    assert lived.dead_letters
    assert "orderflow_" in lived.metrics


def test_librdkafka_speaks_the_same_form(tmp_path: Path) -> None:
    stack = Stack(tmp_path, f"sqlite:///{tmp_path}/orderflow.db", f"127.0.0.1:{free_port()}", "orders")
    with installation(stack) as here:
        here.run("db", "upgrade")
        relay = here.start("relay")
        line = relay.line("kafka client")

    assert line["logger"] == "orderflow.kafka"
    assert "Connection refused" in line["line"]
    assert all(json.loads(each) for each in relay.said().splitlines() if each.endswith("}"))


def test_a_process_that_cannot_start_says_so_in_a_line(tmp_path: Path) -> None:
    stack = Stack(tmp_path, f"sqlite:///{tmp_path}/orderflow.db", "", "orders")
    with installation(stack) as here:
        here.run("db", "upgrade")
        relay = here.attempt("relay", KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}", PUBLISHING="direct")

    [line] = [json.loads(line) for line in relay.err.splitlines() if '"critical"' in line]
    assert relay.code == 1
    assert line["error"]["code"] == "not_configured"
    assert "ORDERFLOW_PUBLISHING" in line["event"]
    assert all(json.loads(line) for line in relay.err.splitlines())
