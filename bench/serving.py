"""Orders created over HTTP, by ``orderflow serve`` and by FastAPI with SQLAlchemy's ORM."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
from attrs import define, field
from tests.support.process import OwnProcess
from tests.support.servers import MissingServer, free_port
from tests.support.waiting import eventually_async

from .finding import Effort, Finding, in_turn, ratios
from .servers import Servers

CONNECTIONS = 64
SECONDS = 6
RATIO = 1.0
TAIL = 1.0
ROOT = Path(__file__).parents[1]


@define
class _Side:
    """One server under load, on a database of its own."""

    url: str
    database: str
    headers: Mapping[str, str] = field(factory=dict)
    p50: list[float] = field(factory=list)
    p99: list[float] = field(factory=list)

    async def ready(self) -> None:
        async with httpx.AsyncClient(timeout=5) as client:

            async def live() -> bool:
                try:
                    return (await client.get(f"{self.url}/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually_async(live, every=0.1, that=f"{self.url} is live")

    async def load(self, seconds: int) -> float:
        """Load it with wrk. Returns the orders created a second; raises if any request failed or any row is missing."""
        before = await self._rows()
        headers = [part for name, value in self.headers.items() for part in ("-H", f"{name}: {value}")]
        script = str(Path(__file__).with_name("create.lua"))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script, *headers]
        process = await asyncio.create_subprocess_exec(*command, self.url, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        line = next(it for it in output.decode().splitlines() if it.startswith("RESULT "))
        requests, duration, refused, failed, p50, p99 = map(int, line.split()[1:])
        created = await self._rows() - before
        if refused or failed or not requests <= created <= requests + CONNECTIONS:
            raise RuntimeError(f"{requests} answers, {refused} refused, {failed} failed, {created} rows")
        self.p50.append(p50 / 1000)
        self.p99.append(p99 / 1000)
        return requests / (duration / 1_000_000)

    async def _rows(self) -> int:
        connection = await asyncpg.connect(self.database)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM orders"))
        finally:
            await connection.close()


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    if shutil.which("wrk") is None:
        raise MissingServer("wrk", ["wrk on the PATH"], "install the package wrk")
    seconds = effort.of(SECONDS)
    with _ours(servers) as ours, _peer(servers) as peer:
        await asyncio.gather(ours.ready(), peer.ready())
        await _create_tables(peer.database)
        our, their = await in_turn(effort, lambda: ours.load(seconds), lambda: peer.load(seconds))
    aside = f"{CONNECTIONS} connections, one process each; p50 {_ms(ours.p50)} and {_ms(peer.p50)}"
    tail = f"p99 {_ms(ours.p99)} and {_ms(peer.p99)}"
    rates = f"orderflow with a token {_median(our):,.0f}, FastAPI + ORM {_median(their):,.0f} orders/s; {aside}"
    return [
        Finding(what="create over HTTP / FastAPI + ORM", values=ratios(our, their), floor=RATIO, aside=rates),
        Finding(what="  its p99 / FastAPI + ORM", values=ratios(ours.p99, peer.p99), ceiling=TAIL, aside=tail),
    ]


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _ms(values: Sequence[float]) -> str:
    return f"{_median(values):.0f} ms"


@contextmanager
def _ours(servers: Servers) -> Iterator[_Side]:
    database, port, folder = servers.database(), free_port(), servers.folder()
    environment = {
        **os.environ,
        "ORDERFLOW_DATABASE_URL": database,
        "ORDERFLOW_HTTP_PORT": str(port),
        "ORDERFLOW_LOG_LEVEL": "warning",
        "ORDERFLOW_HTTP_REQUESTS_PER_SECOND": "100000",
        "ORDERFLOW_HTTP_MAX_REQUESTS_PER_CALLER": "100000",
    }
    make = [_orderflow(), "--json", "tokens", "make", "--role", "admin", "--id", "bench"]
    made = subprocess.run(make, env=environment, check=True, capture_output=True)
    token = json.loads(made.stdout)["token"]
    server = OwnProcess([_orderflow(), "serve", "--no-consumers"], folder / "serve.log", None, environment)
    with _running(server):
        yield _Side(f"http://127.0.0.1:{port}", database, {"Authorization": f"Bearer {token}"})


@contextmanager
def _peer(servers: Servers) -> Iterator[_Side]:
    database, port, folder = servers.empty_database(), free_port(), servers.folder()
    environment = {**os.environ, "PEER_DATABASE_URL": database, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "uvicorn", "bench.peers.fastapi_orm:app", "--port", str(port), "--no-access-log"]
    with _running(OwnProcess(command, folder / "peer.log", None, environment)):
        yield _Side(f"http://127.0.0.1:{port}", database)


def _orderflow() -> str:
    return str(Path(sys.executable).with_name("orderflow"))


@contextmanager
def _running(process: OwnProcess) -> Iterator[None]:
    process.start()
    try:
        yield
    finally:
        process.stop()


async def _create_tables(database: str) -> None:
    os.environ["PEER_DATABASE_URL"] = database
    from .peers.fastapi_orm import Base, engine

    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
