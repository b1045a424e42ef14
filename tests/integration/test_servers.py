"""The servers that the other tests stand on keep what they promise."""

import json
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import pytest
import yaml
from confluent_kafka import Consumer, Producer
from prometheus_client import start_http_server

from tests.support import postgres as postgres_support
from tests.support.kafka import KafkaBroker, LocalKafka, distribution, find_kafka, needs_real_kafka
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.prometheus import LocalPrometheus, Target, hurried
from tests.support.servers import MissingServer, free_port, obtain
from tests.support.smtp import SmtpServer
from tests.support.waiting import eventually


async def statement(url: str, text: str) -> object:
    """The first value that a statement gives, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(text)
    finally:
        await connection.close()


def produce(broker: KafkaBroker, topic: str, *values: str) -> None:
    """Write records, and return when every in-sync replica has them."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value.encode(), key=b"order-1")
    assert producer.flush(30) == 0


def consume(broker: KafkaBroker, topic: str, count: int, *, group: str = "readers") -> list[str]:
    """The first records of a topic, read by a group that commits what it read."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    read: list[str] = []

    def all_read() -> bool:
        for record in consumer.consume(count - len(read), timeout=1):
            assert record.error() is None, record.error()
            read.append((record.value() or b"").decode())
        return len(read) >= count

    try:
        eventually(all_read, deadline=30, that=f"{count} records of {topic} are read")
    finally:
        consumer.close()
    return read


class TestPostgres:
    async def test_a_commit_is_there_after_a_restart(self, postgres: PostgresServer, database_url: str) -> None:
        await statement(database_url, "CREATE TABLE orders AS SELECT 7 AS id")

        postgres.restart()

        assert await statement(database_url, "SELECT id FROM orders") == 7

    async def test_a_commit_is_there_after_the_server_was_killed(
        self, postgres: PostgresServer, database_url: str
    ) -> None:
        await statement(database_url, "CREATE TABLE orders AS SELECT 7 AS id")

        postgres.kill()
        postgres.start()

        assert await statement(database_url, "SELECT id FROM orders") == 7

    async def test_commits_are_durable(self, database_url: str) -> None:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await statement(database_url, f"SHOW {setting}") == "on"

    async def test_two_databases_share_nothing(self, postgres: PostgresServer, database_url: str) -> None:
        await statement(database_url, "CREATE TABLE orders (id int)")

        other = postgres.create_database()

        assert await statement(other, "SELECT to_regclass('orders')::text") is None
        assert await statement(database_url, "SELECT to_regclass('orders')::text") == "orders"

    async def test_databases_made_in_a_server_that_was_given_are_dropped_at_the_end(
        self, postgres: PostgresServer
    ) -> None:
        given = PostgresServer(postgres.url)
        name = given.create_database().rpartition("/")[2]

        given.close()

        assert await statement(postgres.url, f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == 0


class TestKafka:
    def test_what_is_produced_can_be_consumed(self, kafka: KafkaBroker, topic_name: str) -> None:
        kafka.create_topic(topic_name)

        produce(kafka, topic_name, "created", "cancelled")

        assert consume(kafka, topic_name, 2) == ["created", "cancelled"]

    @pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
    def test_records_are_there_after_the_broker_was(self, kafka: KafkaBroker, topic_name: str, kill: bool) -> None:
        kafka.create_topic(topic_name)
        produce(kafka, topic_name, "created")

        with kafka.down(kill=kill):
            pass

        assert consume(kafka, topic_name, 1) == ["created"]

    def test_command_line_tools_show_a_groups_lag(self, kafka: KafkaBroker, topic_name: str) -> None:
        needs_real_kafka(kafka, "the consumer groups tool")
        kafka.create_topic(topic_name, partitions=1)
        produce(kafka, topic_name, "created", "cancelled")
        consume(kafka, topic_name, 2, group=f"readers-of-{topic_name}")

        shown = kafka.tool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            *f"--bootstrap-server {kafka.bootstrap_servers} --describe --group readers-of-{topic_name}".split(),
        )

        group, topic, partition, offset, end, lag = next(
            line.split()[:6] for line in shown.splitlines() if topic_name in line
        )
        assert (group, topic) == (f"readers-of-{topic_name}", topic_name)
        assert (partition, offset, end, lag) == ("0", "2", "2", "0")

    def test_a_tool_that_fails_says_why(self, kafka: KafkaBroker) -> None:
        needs_real_kafka(kafka, "a tool's complaint")

        with pytest.raises(AssertionError, match="bootstrap-server"):
            kafka.tool("org.apache.kafka.tools.TopicCommand", "--list")

    def test_three_nodes_go_on_without_one_of_them(self, kafka: KafkaBroker, topic_name: str) -> None:
        if not isinstance(kafka, LocalKafka):
            needs_real_kafka(kafka, "three nodes")
            pytest.skip("three nodes are started from the jars, and this Kafka was not")
        with LocalKafka(nodes=3) as cluster:
            cluster.create_topic(topic_name)

            cluster.members[0].process.kill()
            produce(cluster, topic_name, "created")

            assert consume(cluster, topic_name, 1) == ["created"]


def test_the_mail_server_keeps_what_it_accepts_and_can_refuse(smtp: SmtpServer) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Your order is on its way"
    mail.set_content("Thirty minutes.")

    with smtplib.SMTP(smtp.host, smtp.port) as client:
        client.send_message(mail, "orders@example.com", ["ann@example.com"])
        smtp.refusal = "451 4.3.0 later"
        with pytest.raises(smtplib.SMTPDataError, match="later"):
            client.send_message(mail, "orders@example.com", ["bob@example.com"])

    (kept,) = smtp.mails
    assert (kept.sender, kept.recipients) == ("orders@example.com", ("ann@example.com",))
    assert kept.message["Subject"] == "Your order is on its way"


class TestMissingServers:
    """On a machine with neither Docker nor programs nor jars."""

    @pytest.fixture(autouse=True)
    def bare_machine(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for given in ("ORDERFLOW_TEST_DATABASE_URL", "ORDERFLOW_TEST_KAFKA"):
            monkeypatch.delenv(given, raising=False)
        monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(postgres_support, "DEBIANS_VERSIONS", tmp_path)

    @pytest.fixture
    def required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CI", "true")

    @pytest.fixture
    def not_required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("CI", "ORDERFLOW_TEST_REQUIRE_SERVERS"):
            monkeypatch.delenv(name, raising=False)

    @pytest.mark.usefixtures("required")
    @pytest.mark.parametrize(("find", "name"), [(find_postgres, "PostgreSQL"), (find_kafka, "Apache Kafka")])
    def test_fail_in_ci_with_their_name_and_the_way_to_get_them(self, find: Callable[[], object], name: str) -> None:
        # A skip is caught too: passed on, it would hide itself by skipping this test.
        with pytest.raises(
            (pytest.fail.Exception, pytest.skip.Exception), match=rf"no {name} .*no Docker engine.*apt-get install"
        ) as outcome:
            obtain(find)

        assert outcome.type is pytest.fail.Exception

    @pytest.mark.usefixtures("not_required")
    def test_skip_a_developers_test_by_name(self) -> None:
        with pytest.raises(pytest.skip.Exception, match=r"no PostgreSQL .*apt-get install postgresql"):
            obtain(find_postgres)

    @pytest.mark.usefixtures("not_required")
    def test_leave_a_developer_with_a_stand_in_for_kafka(self, topic_name: str) -> None:
        with find_kafka() as stand_in:
            stand_in.create_topic(topic_name)
            produce(stand_in, topic_name, "created")

            assert consume(stand_in, topic_name, 1) == ["created"]
            with pytest.raises(pytest.skip.Exception, match="cannot show: records that outlive a stop"):
                stand_in.stop()

    def test_name_the_jars_when_maven_is_missing_too(self) -> None:
        with pytest.raises(MissingServer, match="jars are not in the cache and Maven is not here"):
            distribution.jars()


class TestPrometheus:
    def test_an_alert_fires_while_it_is_so_and_is_clear_afterwards(self) -> None:
        port = free_port()
        rules = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "Gone", "expr": "up == 0"}]}]})

        with obtain(lambda: LocalPrometheus(rules, [Target(f"127.0.0.1:{port}", {"part": "relay"})])) as here:
            here.wait_firing("Gone", part="relay")
            unhealthy = here.unhealthy()
            server, thread = start_http_server(port, "127.0.0.1")
            here.wait_clear("Gone")
            server.shutdown()
            server.server_close()
            thread.join()

        assert list(unhealthy) == [f"http://127.0.0.1:{port}/metrics"]

    def test_rules_are_hurried_in_their_lengths_and_limits_alone(self) -> None:
        slow = """
groups:
- name: limits
  rules:
  - {record: "limit:lag", expr: "60"}
- name: alerts
  rules:
  - alert: Late
    expr: max_over_time(lag[10m] offset 1w) > on() limit:lag + lag:rate5m
    for: 5m
    annotations: {summary: later than 5m}
"""
        fast = hurried(slow, lengths={"10m": "2s", "1w": "1m", "5m": "1s"}, limits={"limit:lag": 3})

        assert yaml.safe_load(fast) == yaml.safe_load(
            slow.replace("[10m] offset 1w", "[2s] offset 1m").replace("for: 5m", "for: 1s").replace('"60"', '"3"')
        )

    def test_a_length_or_limit_that_is_not_known_is_named(self) -> None:
        rules = 'groups: [{name: g, rules: [{record: a, expr: "rate(b[7m])"}]}]'

        with pytest.raises(KeyError, match="7m"):
            hurried(rules, lengths={}, limits={})
        with pytest.raises(KeyError, match="no rule records c"):
            hurried(rules, lengths={"7m": "7s"}, limits={"c": 1})
