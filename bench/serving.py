"""Orders created over HTTP with one and two workers, by ``orderflow serve`` and by FastAPI with SQLAlchemy."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import asyncpg
import httpx
from attrs import define, field
from sqlalchemy.ext.asyncio import create_async_engine
from tests.support.process import OwnProcess
from tests.support.servers import MissingServer, free_port
from tests.support.waiting import eventually_async

from .finding import Effort, Finding, in_turn, ratios
from .servers import Servers

CONNECTIONS = 64
WORKERS = (1, 2)
POOL = 10
"""Connections to the database of all workers of a side together."""
SECONDS = 6
RATIO = 2.0
TAIL = 0.5
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
        before = await self._settled_rows()
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

    async def _settled_rows(self) -> int:
        """Return the number of rows when the requests that an earlier turn left unanswered have ended."""
        before, rows = -1, await self._rows()
        while rows != before:
            await asyncio.sleep(0.3)
            before, rows = rows, await self._rows()
        return rows

    async def _rows(self) -> int:
        connection = await asyncpg.connect(self.database)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM orders"))
        finally:
            await connection.close()


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    if shutil.which("wrk") is None:
        raise MissingServer("wrk", ["wrk on the PATH"], "install the package wrk")
    return [finding for workers in WORKERS for finding in await _with_workers(servers, effort, workers)]


async def _with_workers(servers: Servers, effort: Effort, workers: int) -> list[Finding]:
    seconds = effort.of(SECONDS)
    with (
        _ours(servers, workers, token=True) as ours,
        _ours(servers, workers, token=False) as open_to_all,
        _peer(servers, workers, "fastapi_orm") as orm,
        _peer(servers, workers, "fastapi_core") as core,
    ):
        sides = {"orderflow with a token": ours, "without": open_to_all, "FastAPI + ORM": orm, "FastAPI + Core": core}
        for side in sides.values():
            await side.ready()
        for peer in (orm, core):
            await _create_tables(peer.database)
        turns = [partial(side.load, seconds) for side in sides.values()]
        with_token, without, with_orm, with_core = await in_turn(effort, *turns)
    rates = [
        f"{name} {_median(seen):,.0f}"
        for name, seen in zip(sides, (with_token, without, with_orm, with_core), strict=True)
    ]
    named = f"create over HTTP, {workers} worker{'s' * (workers > 1)}"
    p50, p99 = (", ".join(f"{_median(values):.0f}" for values in each) for each in _percentiles(sides.values()))
    return [
        Finding(
            what=f"{named} / FastAPI + ORM",
            values=ratios(with_token, with_orm),
            floor=RATIO,
            aside=f"{', '.join(rates)} orders/s; {CONNECTIONS} connections",
        ),
        Finding(
            what="  its p99 / FastAPI + ORM",
            values=ratios(ours.p99[1:], orm.p99[1:]),
            ceiling=TAIL,
            aside=f"in the same order p50 {p50} ms, p99 {p99} ms",
        ),
        Finding(what="  without a token / FastAPI + ORM", values=ratios(without, with_orm)),
        Finding(what="  with a token / FastAPI + Core", values=ratios(with_token, with_core)),
    ]


def _percentiles(sides: Iterable[_Side]) -> tuple[list[list[float]], list[list[float]]]:
    sides = list(sides)
    return [side.p50[1:] for side in sides], [side.p99[1:] for side in sides]


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


@contextmanager
def _ours(servers: Servers, workers: int, *, token: bool) -> Iterator[_Side]:
    database, port, folder = servers.database(), free_port(), servers.folder()
    environment = {
        "ORDERFLOW_HTTP_DEV": str(not token).lower(),
        **os.environ,
        "ORDERFLOW_DATABASE_URL": database,
        "ORDERFLOW_DATABASE_POOL_SIZE": str(POOL // workers),
        "ORDERFLOW_HTTP_PORT": str(port),
        "ORDERFLOW_HTTP_WORKERS": str(workers),
        "ORDERFLOW_LOG_LEVEL": "warning",
        "ORDERFLOW_HTTP_REQUESTS_PER_SECOND": "100000",
        "ORDERFLOW_HTTP_MAX_REQUESTS_PER_CALLER": "100000",
    }
    headers = {"X-Actor": "admin:bench"}
    if token:
        make = [_orderflow(), "--json", "tokens", "make", "--role", "admin", "--id", "bench"]
        made = subprocess.run(make, env=environment, check=True, capture_output=True)
        headers = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}
    server = OwnProcess([_orderflow(), "serve", "--no-consumers"], folder / "serve.log", None, environment)
    with _running(server):
        yield _Side(f"http://127.0.0.1:{port}", database, headers)


@contextmanager
def _peer(servers: Servers, workers: int, name: str) -> Iterator[_Side]:
    database, port, folder = servers.empty_database(), free_port(), servers.folder()
    pool = str(POOL // workers)
    environment = {**os.environ, "PEER_DATABASE_URL": database, "PEER_POOL_SIZE": pool, "PYTHONPATH": str(ROOT)}
    uvicorn = [sys.executable, "-m", "uvicorn", "--port", str(port), "--no-access-log", "--workers", str(workers)]
    command = [*uvicorn, f"bench.peers.{name}:app"]
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
    from .peers.fastapi_orm import Base

    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:", 1))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
