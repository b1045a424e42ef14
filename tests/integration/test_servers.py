"""The servers that the other tests stand on keep what they promise."""

import json
import smtplib
import subprocess
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from subprocess import PIPE

import asyncpg
import pytest
import yaml
from prometheus_client import start_http_server

from tests.support import postgres as postgres_support
from tests.support import servers
from tests.support.kafka import distribution, find_kafka
from tests.support.pages import TREE
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.prometheus import LocalPrometheus, Target, hurried
from tests.support.servers import MissingServer, free_port, obtain, started
from tests.support.smtp import SmtpServer


async def statement(url: str, text: str) -> object:
    """The first value that a statement gives, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(text)
    finally:
        await connection.close()


class TestPostgres:
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

    async def test_databases_made_in_a_server_that_was_given_are_dropped_at_the_end(
        self, postgres: PostgresServer
    ) -> None:
        given = PostgresServer(postgres.url)
        name = given.create_database().rpartition("/")[2]

        given.close()

        assert await statement(postgres.url, f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == 0


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

    def test_name_the_jars_when_maven_is_missing_too(self) -> None:
        with pytest.raises(MissingServer, match="jars are not in the cache and Maven is not here"):
            distribution.jars()


class TestFreePort:
    def test_no_port_is_given_that_another_process_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        few = range(32_000, 32_060)  # which no other test is given
        draw = (
            f"from tests.support import servers; servers._PORTS = {few}; "
            "print(*(servers.free_port() for _ in range(30)), flush=True); input()"
        )
        monkeypatch.setattr(servers, "_PORTS", few)

        with subprocess.Popen([sys.executable, "-c", draw], cwd=TREE, stdin=PIPE, stdout=PIPE, text=True) as other:
            assert other.stdout is not None
            theirs = {int(port) for port in other.stdout.readline().split()}
            ours = {free_port() for _ in range(20)}
            other.communicate("\n")

        assert len(theirs) == 30
        assert not theirs & ours


class TestPrometheus:
    def test_an_alert_fires_while_it_is_so_and_is_clear_afterwards(self) -> None:
        port = free_port()
        rules = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "Gone", "expr": "up == 0"}]}]})

        with obtain(lambda: started(LocalPrometheus(rules, [Target(f"127.0.0.1:{port}", {"part": "relay"})]))) as here:
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
