"""Status, metrics, logs, traces and Kafka's own tool agree about one installation that runs a day."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from orderflow.adapters.telemetry.metrics import catalogue

from tests.support.installation import Installation, RunningProcess, installation
from tests.support.kafka import KafkaBroker
from tests.support.metrics import Samples
from tests.support.stack import PROGRAM, Stack
from tests.support.waiting import eventually

CONSUMERS = ("notifications", "analytics", "inventory")
PAUSED = "inventory"
ORDERS = 30
TOOL = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


@frozen
class MonitoredInstallation:
    """A relay and consumers as two processes; ``inventory`` is paused, so that there is lag to agree on."""

    here: Installation
    kafka: KafkaBroker
    processes: Mapping[str, RunningProcess]

    def status(self) -> Mapping[str, Any]:
        """The status once everything has answered in time, which a busy server may not do at the first look."""

        def complete() -> Any:
            answer = self.here.stack.command_line("--json", "status", "--interval", "0")
            assert answer.code in (0, 5), answer
            return answer.data if answer.code == 0 else None

        found: Mapping[str, Any] = eventually(complete, every=0.2, that="everything answers")
        return found

    def metrics(self, process: str) -> Samples:
        return Samples.complete(str(self.processes[process].line("operations")["url"]))

    def group_lags(self, groups: Iterable[str]) -> Mapping[str, int]:
        """Return the lag by ``kafka-consumer-groups --describe``; a whole partition if nothing was ever committed."""
        command = f"--bootstrap-server {self.kafka.bootstrap_servers} --describe"
        asked = [f"--group={group}" for group in groups]
        rows = [line.split() for line in self.kafka.tool(TOOL, *command.split(), *asked).splitlines()]
        lags = Counter[str]()
        for group, _, _, _, end, lag, *_ in (row for row in rows if row[1:2] == [self.here.stack.topic]):
            lags[group] += int(end if lag == "-" else lag)
        return lags

    def handled(self, consumer: str) -> list[Mapping[str, Any]]:
        """The lines about the events that this consumer has handled."""
        said = self.processes["consumers"].said().splitlines(keepends=True)
        lines = [json.loads(line) for line in said if line[-1] == "\n"]
        return [line for line in lines if line["event"] == "handled" and line["consumer"] == consumer]


@pytest.fixture
def watched(kafka: KafkaBroker, migrated_url: str, topic_name: str, tmp_path: Path) -> Iterator[MonitoredInstallation]:
    with installation(Stack(tmp_path, migrated_url, kafka.bootstrap_servers, topic_name)) as here:
        here.run("topics", "create")
        here.run("rollout", "pause", PAUSED, "--by", "the test", "--reason", "lag to agree on")
        processes = {"relay": here.start("relay"), "consumers": here.start("consume", *CONSUMERS)}
        for process in processes.values():
            process.line("operations")
        yield MonitoredInstallation(here, kafka, processes)


def test_all_reports_of_an_installation_agree(watched: MonitoredInstallation, tmp_path: Path) -> None:
    here = watched.here
    here.run("simulate", "generate", str(tmp_path / "day"), "--orders", str(ORDERS), "--seed", "3")

    with (tmp_path / "simulation.log").open("wb") as said:
        command = (*PROGRAM, "--json", "simulate", "run", str(tmp_path / "day"), "--speed", "max")
        simulation = subprocess.Popen(command, stdout=said, stderr=said, env=here.stack.environment)
    eventually(lambda: watched.status()["head"], every=0.2, that="the day has begun")
    while simulation.poll() is None:
        _a_scrape_lies_between_two_looks(watched)
        with suppress(subprocess.TimeoutExpired):
            simulation.wait(1)
    assert simulation.returncode == 0, (tmp_path / "simulation.log").read_text()

    eventually(lambda: _at_rest(watched, "relay", "notifications", "analytics"), every=0.2)
    head = _agreed_while_one_stands_still(watched)

    here.run("rollout", "resume", PAUSED, "--by", "the test", "--reason", "agreed")
    eventually(lambda: _at_rest(watched, "relay", *CONSUMERS), every=0.2)
    _agreed_at_rest(watched, head)


def _at_rest(watched: MonitoredInstallation, *readers: str) -> bool:
    """Return whether the consumers have handled everything, and have committed their offsets."""
    lags = {each["reader"]: (each["events"], each["groupLag"]) for each in watched.status()["readers"]}
    return all(lags[reader] == (0, 0) for reader in readers)


def _a_scrape_lies_between_two_looks(watched: MonitoredInstallation) -> None:
    """Assert that each counter's scraped value is between an earlier and a later reading."""
    before, scraped, after = watched.status(), watched.metrics("consumers"), watched.status()

    assert before["head"] <= scraped.total(catalogue.LOG_EVENTS) <= after["head"]
    for earlier, later in zip(before["readers"], after["readers"], strict=True):
        if (reader := earlier["reader"]) in CONSUMERS:
            least, most = before["head"] - later["position"], after["head"] - earlier["position"]
            assert least <= scraped.total(catalogue.LAG, consumer=reader) <= most, reader


def _agreed_while_one_stands_still(watched: MonitoredInstallation) -> int:
    status, lag = watched.status(), {each["reader"]: each["events"] for each in watched.here.run("lag")}
    head: int = status["head"]
    readers = {each["reader"]: each for each in status["readers"]}

    assert head > 5 * ORDERS
    assert lag == {"relay": 0, "notifications": 0, "analytics": 0, PAUSED: head}
    assert {name: each["events"] for name, each in readers.items()} == lag
    for process in watched.processes:
        scraped = watched.metrics(process)
        assert scraped.total(catalogue.LOG_EVENTS) == head
        assert scraped.total(catalogue.LOG_WAITING) == lag["relay"]
        assert {name: scraped.total(catalogue.LAG, consumer=name) for name in CONSUMERS} == {
            n: lag[n] for n in CONSUMERS
        }
    lags = watched.group_lags(each["group"] for each in readers.values())
    assert {each["group"]: each["groupLag"] for each in readers.values()} == lags
    assert readers[PAUSED]["groupLag"] >= head  # offsets also count the ends of transactions
    assert readers["analytics"]["groupLag"] == 0

    order_id = watched.here.run("orders", "list")["orders"][0]["orderId"]
    for event in watched.here.run("orders", "trace", order_id)["events"]:
        states = {each["consumer"]: each["state"] for each in event["handled"]}
        assert states == {"notifications": "handled", "analytics": "handled", PAUSED: "waiting"}
    return head


def _agreed_at_rest(watched: MonitoredInstallation, head: int) -> None:
    status = watched.status()
    assert status["head"] == head
    assert {each["reader"]: each["groupLag"] for each in status["readers"]} == dict.fromkeys(("relay", *CONSUMERS), 0)

    sent = watched.metrics("relay").total(catalogue.SENT_MESSAGES, via="relay", outcome="ok")
    scraped = watched.metrics("consumers")
    handled = {name: scraped.total(catalogue.PROCESSED, consumer=name, outcome="ok") for name in CONSUMERS}
    lines = {name: len(watched.handled(name)) for name in CONSUMERS}
    assert sent == head
    assert handled == lines == dict.fromkeys(CONSUMERS, head)

    order_id = watched.here.run("orders", "list")["orders"][0]["orderId"]
    traced = watched.here.run("orders", "trace", order_id)["events"]
    timeline = watched.here.run("orders", "timeline", order_id)
    logged = [line["sequence"] for line in watched.handled("analytics") if line["order_id"] == order_id]
    assert [event["sequence"] for event in traced] == [event["sequence"] for event in timeline] == logged
    assert all(each["state"] == "handled" for event in traced for each in event["handled"])
    watched.here.run("check")  # which fails on any difference
