"""``memory``: what API, relay and each consumer hold resident after a day, and after a second one of the same size."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
from tests.support.process import OwnProcess
from tests.support.servers import free_port
from tests.support.stack import PROGRAM, Stack, production
from tests.support.waiting import eventually

from .finding import Effort, Finding
from .history import SEED
from .servers import Servers, new_topic

ORDERS = 200
WORKERS = 8
MEGABYTES = 200.0
GROWTH = 1.05


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    bootstrap_servers, database_url = servers.kafka.bootstrap_servers, servers.empty_database()
    return await asyncio.to_thread(_measure, servers.folder(), database_url, bootstrap_servers, new_topic(), effort)


def _measure(folder: Path, database_url: str, bootstrap_servers: str, topic: str, effort: Effort) -> list[Finding]:
    with production(folder, database_url, bootstrap_servers, topic) as stack:
        url = _api(stack)
        day = folder / "day"
        stack.run("simulate", "generate", str(day), "--orders", str(effort.of(ORDERS, least=10)), "--seed", str(SEED))
        first = _after_a_day(stack, day, url, "first-")
        second = _after_a_day(stack, day, url, "second-")
    found = []
    for name, held in second.items():
        aside = f"{first[name]:.1f} MB after the first day, {held:.1f} MB after the second"
        found += [
            Finding(what=f"resident memory of {name}", values=[held], unit="MB", ceiling=MEGABYTES),
            Finding(what="  after two days / after one", values=[held / first[name]], ceiling=GROWTH, aside=aside),
        ]
    return found


def _api(stack: Stack) -> str:
    """The API as a process of its own beside the others; its address."""
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
    behind = {lag["reader"]: lag["events"] for lag in stack.run("lag", "--wait", "120", within=200) if lag["events"]}
    if behind:
        raise RuntimeError(f"not caught up after a day: {behind}")
    return {name: psutil.Process(process.pid).memory_info().rss / 1e6 for name, process in stack.processes.items()}
