"""``memory``: what API, relay and each consumer hold resident after a day, after a second one, and after many events.

The many events are written to the log by this process; so relay and consumers handle them, and the API does not.
"""

import asyncio
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import httpx
import psutil
from attrs import evolve
from orderflow.adapters import wire
from orderflow.adapters.sql import SqlStorage
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.write_set import WriteSet
from tests.support.process import OwnProcess
from tests.support.servers import free_port
from tests.support.stack import PROGRAM, Stack, production
from tests.support.waiting import eventually

from .finding import Effort, Finding
from .history import SEED, lived, records
from .servers import Servers, new_topic

ORDERS = 200
EVENTS = 1_000_000
WORKERS = 8
COPIED_ORDERS = 500
SECONDS_AN_EVENT = 0.02
"""The time that relay and consumers have at most for each of the many events."""
MEGABYTES = 200.0
GROWTH = 1.05


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    bootstrap_servers, database_url = servers.kafka.bootstrap_servers, servers.empty_database()
    return await asyncio.to_thread(_measure, servers.folder(), database_url, bootstrap_servers, new_topic(), effort)


def _measure(folder: Path, database_url: str, bootstrap_servers: str, topic: str, effort: Effort) -> list[Finding]:
    with production(folder, database_url, bootstrap_servers, topic) as stack:
        url = api(stack)
        day = folder / "day"
        stack.run("simulate", "generate", str(day), "--orders", str(effort.of(ORDERS, least=10)), "--seed", str(SEED))
        first = _after_a_day(stack, day, url, "first-")
        second = _after_a_day(stack, day, url, "second-")
        many = effort.of(EVENTS)
        asyncio.run(_write(database_url, many))
        third = _caught_up(stack, within=120 + many * SECONDS_AN_EVENT)
    found = []
    for name, held in second.items():
        aside = f"{first[name]:.1f} MB after the first day, {held:.1f} MB after the second"
        found += [
            Finding(what=f"resident memory of {name}", values=[held], unit="MB", ceiling=MEGABYTES),
            Finding(what="  after two days / after one", values=[held / first[name]], ceiling=GROWTH, aside=aside),
        ]
        if name != "api":
            what = f"  after {many:,} more events"
            found.append(Finding(what=what, values=[third[name]], unit="MB", ceiling=MEGABYTES))
    return found


def api(stack: Stack) -> str:
    """Start the API as a process of its own, and return its URL."""
    port = free_port()
    process = OwnProcess(
        (*PROGRAM, "serve", "--no-relay", "--no-consumers"),
        stack.folder / "api.log",
        environment=stack.environment | {"ORDERFLOW_HTTP_PORT": str(port)},
    )
    stack.processes["api"] = process
    process.start()

    def answers() -> bool:
        if not process.running:
            raise RuntimeError(f"the API ended while it started:\n{process.last_words()}")
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    eventually(answers, deadline=60, every=0.1, that="the API is ready")
    return f"http://127.0.0.1:{port}"


def _after_a_day(stack: Stack, day: Path, url: str, prefix: str) -> Mapping[str, float]:
    """Live the day through the API, wait until all have caught up; megabytes (10^6 bytes) by process."""
    stack.run("simulate", "run", str(day), "--url", url, "--workers", str(WORKERS), "--prefix", prefix, within=600)
    return _caught_up(stack, within=120)


def _caught_up(stack: Stack, *, within: float) -> Mapping[str, float]:
    """Wait until relay and consumers have caught up; megabytes (10^6 bytes) by process."""
    lags = stack.run("lag", "--wait", str(within), within=within + 80)
    if behind := {lag["reader"]: lag["events"] for lag in lags if lag["events"]}:
        raise RuntimeError(f"not caught up: {behind}")
    return {name: psutil.Process(process.pid).memory_info().rss / 1e6 for name, process in stack.processes.items()}


async def _write(database_url: str, many: int) -> None:
    """Append so many events to the log: copies of a day's, each of an order of its own."""
    day = [wire.decode_record(record) for record in await records(await lived(min(many, COPIED_ORDERS)))]
    storage = SqlStorage.at(database_url)
    await storage.open()
    try:
        commit, left = GroupCommit(storage.committer).commit, many
        for copy in count():
            events = [evolve(event, order_id=f"copy-{copy}-{event.order_id}") for event in day[:left]]
            await commit(WriteSet(events=events))
            if not (left := left - len(events)):
                return
    finally:
        await storage.close()
