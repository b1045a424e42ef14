"""The status of an installation that runs on real servers, and of one that has lost them."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from orderflow.adapters.kafka import KafkaSettings
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.testing.orders import placed

from tests.integration.health.conftest import Doctor
from tests.support.commands import CommandLine
from tests.support.kafka import KafkaBroker
from tests.support.kafka.group_lag import group_lag
from tests.support.servers import free_port
from tests.support.stack import PROGRAM
from tests.support.waiting import eventually_async


@asynccontextmanager
async def running(settings: Settings, **parts: Any) -> AsyncIterator[Any]:
    """The parts of one process, on an open container, inside the block."""
    container, stop = container_for(settings), asyncio.Event()
    async with opened(container):
        task = asyncio.create_task(run_parts(container, stop=stop, **parts))
        yield container
        stop.set()
        await task


async def status(doctor: Doctor, *options: str) -> Any:
    answer = await asyncio.to_thread(doctor.line(), "--json", "status", *options)
    assert answer.code == 0, answer
    return answer.data


async def test_a_running_installation_is_shown_whole(own_database: str, kafka: KafkaBroker, topic_name: str) -> None:
    kafka.create_topic(topic_name, config={"retention.ms": "-1"})
    doctor = Doctor(own_database, kafka.bootstrap_servers, topic_name)
    settings = Settings(
        database_url=own_database,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic=topic_name,
        http_port=0,
        http_dev=True,
    )

    async with running(settings, relay=True, consumers=("analytics",), api=True) as container:
        for number in range(5):
            await placed(container.storage(), f"o{number}")

        async def all_is_handled() -> Any:
            now = await status(doctor, "--interval", "0")
            lags = {reader["reader"]: reader for reader in now["readers"]}
            parts = {part["name"]: part for process in now["processes"] for part in process["parts"]}
            analytics = lags["analytics"]
            settled = analytics["events"] == analytics["groupLag"] == lags["relay"]["events"] == 0
            return now if settled and parts["relay"]["partitions"] == [0, 1, 2] and parts["api"]["url"] else None

        now = await eventually_async(all_is_handled, every=0.5, that="all is handled, and seen to be")
        settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)
        kafkas = await group_lag(settings, f"{topic_name}-analytics")

    readers = {reader["reader"]: reader for reader in now["readers"]}
    [process] = now["processes"]
    parts = {part["name"]: part for part in process["parts"]}
    assert (now["head"], readers["relay"]["position"], readers["analytics"]["position"]) == (5, 5, 5)
    assert readers["inventory"]["events"] == 5
    assert readers["inventory"]["waiting"] > 0
    assert readers["analytics"]["members"] == 1
    assert sum(part.lag for part in kafkas) == 0
    assert parts["analytics"]["partitions"] == [0, 1, 2]
    assert parts["api"]["url"].startswith("http://127.0.0.1:")
    assert (process["kind"], process["pid"], process["gone"]) == ("several", os.getpid(), False)
    assert now["kafka"]["topic"]["partitions"] == 3
    assert (now["database"]["kind"], now["publishedPercent"], now["unanswered"]) == ("postgresql", 100, {})
    assert (await status(doctor, "--interval", "0"))["processes"] == []


def test_with_kafka_away_the_database_is_shown_and_kafka_named(own_database: str) -> None:
    doctor = Doctor(own_database, f"127.0.0.1:{free_port()}", "order-events")

    answer = doctor.line()("--json", "status", "--interval", "0")
    screen = doctor.line()("status", "--interval", "0")

    assert (answer.code, screen.code) == (5, 5)
    assert answer.data["kafka"]["reason"] == "connection refused"
    assert (answer.data["head"], answer.data["processes"]) == (0, [])
    assert "kafka       connection refused" in screen.out
    assert "no process is registered" in screen.out


def test_with_the_database_away_kafka_is_shown_and_the_database_named(kafka: KafkaBroker, topic_name: str) -> None:
    kafka.create_topic(topic_name)
    url = f"postgresql://someone:secret@127.0.0.1:{free_port()}/orders"

    answer = Doctor(url, kafka.bootstrap_servers, topic_name).line()("--json", "status", "--interval", "0")

    assert answer.code == 5
    assert answer.data["database"]["reason"] == "connection refused"
    assert answer.data["kafka"]["topic"]["partitions"] == 3
    assert (answer.data["readers"], answer.data["processes"]) == (None, None)
    assert "secret" not in answer.out + answer.err


def test_watching_goes_on_until_it_is_interrupted(sqlite_url: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    watching = subprocess.Popen(
        (*PROGRAM, "--json", "status", "--watch", "--interval", "0.1"),
        stdout=subprocess.PIPE,
        env={**environment, "ORDERFLOW_DATABASE_URL": sqlite_url},
    )
    assert watching.stdout is not None

    looks = [json.loads(watching.stdout.readline()) for _ in range(3)]
    watching.send_signal(signal.SIGINT)

    watching.communicate(timeout=180)
    assert watching.returncode == 130
    assert [look["committedPerSecond"] for look in looks] == [None, 0, 0]
    assert looks[0]["at"] < looks[1]["at"] < looks[2]["at"]


def test_watching_writes_each_screen_to_a_pipe_at_once_and_ends_with_it(sqlite_url: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    watching = subprocess.Popen(
        (*PROGRAM, "status", "--watch", "--interval", "0.1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "ORDERFLOW_DATABASE_URL": sqlite_url},
    )
    assert watching.stdout is not None
    assert watching.stderr is not None

    heads = 0
    while heads < 3 and (line := watching.stdout.readline()):
        heads += line.startswith(b"orderflow ")
    watching.stdout.close()

    assert heads == 3
    assert watching.wait(180) == 141
    assert b"Traceback" not in watching.stderr.read()


def test_an_interval_that_is_none_is_refused(tmp_path: Path) -> None:
    line = CommandLine(f"sqlite:///{tmp_path / 'orders.db'}")

    assert [line("status", "--interval", it).code for it in ("-1", "nan", "inf")] == [2, 2, 2]
    assert line("status", "--watch", "--interval", "0").code == 2
