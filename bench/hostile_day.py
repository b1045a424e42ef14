"""``hostile-day``: a generated day over HTTP among hostile clients, records and servers (PostgreSQL, Kafka).

Half an hour at scale 1. The day's orders must all arrive: a run that lost something raises AssertionError.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, ExitStack
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil
from attrs import define, field
from confluent_kafka import Producer
from orderflow.adapters.sql import SqlStorage
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.errors import IllegalTransition, Unavailable
from orderflow.domain.lifecycle import OrderState
from orderflow.entrypoints.simulation.day import Day
from orderflow.entrypoints.simulation.dispatch_plan import Step, StepAction, plan_day
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.http_driver import HttpOrderClient
from orderflow.entrypoints.simulation.run_day import DayResult, RunDay, ScaledPace
from tests.support.databases import migrated
from tests.support.hostile_records import hostile_records
from tests.support.kafka import KafkaBroker
from tests.support.postgres import LocalPostgres
from tests.support.process import OwnProcess
from tests.support.servers import free_port
from tests.support.stack import PROGRAM, Stack, production
from tests.support.waiting import eventually, eventually_async

from .finding import Effort, Finding
from .servers import Servers, new_topic

SECONDS, LEAST_SECONDS = 1_800, 45
ORDERS = 3_000
STREAMS = 2_000
STREAMS_PER_CALLER = 40
CONNECTIONS_PER_ADDRESS = 350
HALF_OPEN, SLOW_BODIES, UNREAD = 150, 100, 50
BATCHES = 14
"""Times at which hostile records are written."""
QUOTA = 4_096
"""Bytes a second that the broker takes from a producer while it is throttled."""
THROTTLED, SWITCHED = (0.2, 0.4), 0.6
"""Parts of the time: from when to when the broker is throttled, and when the database is switched over."""
FOREIGN = "is not an event of the log"

LINE = {"foodId": "F", "foodName": "x" * 200, "price": 1, "quantity": 1}
TEXTS = [
    "[/x] [bold]",
    "=?utf-8?q?=0D=0AReply-To:_a@evil.example?=",
    "\u202egnp.exe \u2066https://evil.example\u2069",
    "Jalape\u00f1o \U0001f336\ufe0f \u20ac",
    "'; DROP TABLE orders; --",
    "a" * 200,
    "\u0000\u001b[2J",
    "1@" * 100,
]
HEADS = [
    b"GET /v1/orders?" + b"1@" * 30_000 + b"=x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/orders HTTP/1.1\r\nHost: a:99999\r\n\r\n",
    b"GET //metrics HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/orders/%2e%2e HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"POST /v1/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n",
    b"POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:h\r\nContent-Length: 100000\r\n\r\n"
    + b"[" * 100_000,
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
]


@define(eq=False)
class PatientOrderClient:
    """Repeats a step until the service has answered it, as a restaurant's or a courier's program would."""

    client: HttpOrderClient
    repeated: int = 0

    async def execute(self, step: Step, order: NewOrder) -> OrderState:
        repeats = False
        while True:
            try:
                return await self.client.execute(step, order)
            except Unavailable:
                repeats = True
                self.repeated += 1
                await asyncio.sleep(0.5)
            except IllegalTransition as refusal:
                if repeats and refusal.state == EXPECTED.get(step.action):
                    return OrderState(refusal.state)
                raise


EXPECTED = {
    StepAction.PREPARE: OrderState.PREPARING,
    StepAction.SEND_OUT: OrderState.ON_THE_WAY,
    StepAction.DELIVER: OrderState.DELIVERED,
    StepAction.CANCEL: OrderState.CANCELLED,
}


@define(eq=False)
class HostileDay:
    """One run. ``statuses`` counts the responses to hostile requests, ``reads`` are another caller's milliseconds."""

    stack: Stack
    kafka: KafkaBroker
    primary: LocalPostgres
    standby: LocalPostgres
    seconds: float
    orders: int
    streams: int
    day: Day = field(init=False)
    api: OwnProcess = field(init=False)
    port: int = field(factory=free_port, init=False)
    operations: int = field(factory=free_port, init=False)
    began: float = field(init=False)
    statuses: Counter[int] = field(factory=Counter, init=False)
    sent: Counter[str] = field(factory=Counter, init=False)
    reads: list[float] = field(factory=list, init=False)
    unanswered: int = field(default=0, init=False)
    lives: list[float] = field(factory=list, init=False)
    memory: dict[str, list[float]] = field(factory=dict, init=False)
    held: int = field(default=0, init=False)
    most_streams: int = field(default=0, init=False)

    async def __call__(self) -> list[Finding]:
        self._start_api()
        first = await self._first_order()
        self.day = generate_day(self.orders, 12)
        plan = plan_day(self.day)
        client = PatientOrderClient(HttpOrderClient(f"http://127.0.0.1:{self.port}", connections=16))
        self.began = monotonic()
        speed = (plan[-1].at - plan[0].at) / (0.85 * self.seconds)
        pace = ScaledPace(speed, plan[0].at, monotonic, self.began)
        hostile: Sequence[Coroutine[Any, Any, None]] = [
            self._hold_half_open(),
            self._hold_slow_bodies(),
            self._hold_streams(first),
            self._leave_lists_unread(),
            self._flood(),
            self._send_texts(),
            self._measure(first),
            self._watch_memory(),
        ]
        attacks = [asyncio.create_task(each) for each in hostile]
        servers = [
            asyncio.create_task(each) for each in (self._throttle(), self._switch_over(), self._write_records(first))
        ]
        running = asyncio.create_task(RunDay(client, pace, workers=16)(self.day))
        for done in asyncio.as_completed([running, *servers]):
            await done
            for attack in attacks:
                if attack.done():
                    attack.result()
        for attack in attacks:
            attack.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        await client.client.close()
        took = monotonic() - self.began
        return [*await self._verdict(await running), *self._figures(took, client.repeated)]

    def _start_api(self) -> None:
        environment = self.stack.environment | {
            "ORDERFLOW_HTTP_PORT": str(self.port),
            "ORDERFLOW_OPS_PORT": str(self.operations),
            "ORDERFLOW_HTTP_MAX_CONNECTIONS": "4000",
        }
        command = (*PROGRAM, "serve", "--no-relay", "--no-consumers")
        self.api = OwnProcess(command, self.stack.folder / "api.log", environment=environment)
        self.stack.processes["api"] = self.api
        self.api.start()

    async def _first_order(self) -> str:
        """Place the order that is streamed and read, and enough large ones for a list. Return its id."""
        url = f"http://127.0.0.1:{self.port}"
        body = {"userId": "C1", "restaurantId": "R7", "orderDetails": [LINE] * 100, "paymentMethod": "cash"}
        async with httpx.AsyncClient(base_url=url, headers={"X-Actor": "admin:bench"}, timeout=60) as client:
            await _answers(client, "/readyz")
            for _ in range(100):
                placed = await client.post("/v1/orders", json=body)
                placed.raise_for_status()
        return str(placed.json()["orderId"])

    # What hostile clients do, each until it is cancelled.

    async def _hold_half_open(self) -> None:
        await self._hold(HALF_OPEN, "127.0.0.2", b"GET /livez HTTP/1.1\r\nHost:")

    async def _hold_slow_bodies(self) -> None:
        head = (
            b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:slow\r\nContent-Type: application/json\r\n"
        )
        await self._hold(SLOW_BODIES, "127.0.0.3", head + b"Content-Length: 1000\r\n\r\n{")

    async def _hold(self, many: int, address: str, text: bytes) -> None:
        """Keep so many connections with an unfinished request, each opened again when the service closes it."""

        async def one() -> None:
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
                    writer.write(text)
                    self.sent["unfinished requests"] += 1
                    while await asyncio.wait_for(reader.read(65_536), 60):
                        pass
                    writer.close()
                except (OSError, TimeoutError):
                    pass
                await asyncio.sleep(1)

        await asyncio.gather(*(one() for _ in range(many)))

    async def _hold_streams(self, order: str) -> None:
        async def one(number: int) -> None:
            address = f"127.0.1.{1 + number // CONNECTIONS_PER_ADDRESS}"
            actor = f"admin:stream-{number // STREAMS_PER_CALLER}"
            text = f"GET /v1/orders/{order}/stream HTTP/1.1\r\nHost: localhost\r\nX-Actor: {actor}\r\n\r\n".encode()
            await asyncio.sleep(number / 50)
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
                    writer.write(text)
                    if b" 200 " in await reader.readuntil(b"\r\n\r\n"):
                        self.sent["streams"] += 1
                        self.held += 1
                        self.most_streams = max(self.most_streams, self.held)
                        try:
                            while await reader.read(65_536):
                                pass
                        finally:
                            self.held -= 1
                    writer.close()
                except (OSError, asyncio.IncompleteReadError):
                    pass
                await asyncio.sleep(1)

        await asyncio.gather(*(one(number) for number in range(self.streams)))

    async def _leave_lists_unread(self) -> None:
        text = b"GET /v1/orders?limit=200 HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:unread\r\n\r\n"
        while True:
            async with AsyncExitStack() as closing:
                for _ in range(UNREAD):
                    try:
                        _, writer = await asyncio.open_connection(
                            "127.0.0.1", self.port, local_addr=("127.0.0.4", 0), limit=1_024
                        )
                    except OSError:
                        continue
                    closing.callback(writer.transport.abort)
                    writer.write(text)
                    self.sent["unread lists"] += 1
                await asyncio.sleep(40)

    async def _flood(self) -> None:
        """Send requests with a wrong token on ten connections in bursts of five seconds, once in half a minute."""
        wrong = b"GET /v1/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer of_wrong\r\n\r\n"

        async def one() -> None:
            until = monotonic() + 5
            while monotonic() < until:
                self.statuses[await self._ask(wrong, "127.0.0.5", until)] += 1
                self.sent["requests of floods"] += 1

        while True:
            await asyncio.gather(*(one() for _ in range(10)))
            await asyncio.sleep(25)

    async def _send_texts(self) -> None:
        while True:
            for text in TEXTS:
                body = httpx.Request(
                    "POST",
                    "http://localhost/v1/orders",
                    headers={"X-Actor": "admin:texts", "Connection": "close"},
                    json={
                        "userId": "C-texts",
                        "restaurantId": "R-texts",
                        "orderDetails": [{**LINE, "foodName": text}],
                        "paymentMethod": "cash",
                        "address": {"street": text, "city": text},
                    },
                )
                head = b"".join(name + b": " + value + b"\r\n" for name, value in body.headers.raw)
                request = b"POST /v1/orders HTTP/1.1\r\n" + head + b"\r\n" + body.content
                self.statuses[await self._ask(request, "127.0.0.6")] += 1
                self.sent["hostile texts"] += 1
            for request in HEADS:
                self.statuses[await self._ask(request, "127.0.0.6")] += 1
                self.sent["hostile requests"] += 1
            await asyncio.sleep(2)

    async def _ask(self, request: bytes, address: str, until: float | None = None) -> int:
        """Send it on a connection of its own and return the status; 0 if the connection was closed without one."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        except OSError:
            return 0
        try:
            writer.write(request)
            head = await asyncio.wait_for(reader.readline(), 60)
            return int(head.split()[1]) if head.startswith(b"HTTP/1.1 ") else 0
        except (OSError, TimeoutError):
            return 0
        finally:
            writer.close()

    # What happens to the servers.

    async def _write_records(self, order: str) -> None:
        storage = SqlStorage.at(self.stack.database_url)
        await storage.open()
        try:
            like = (await storage.log.history(order))[0]
        finally:
            await storage.close()
        for _ in range(BATCHES):
            await asyncio.to_thread(self._write, hostile_records(like))
            await asyncio.sleep(self.seconds / (BATCHES + 1))

    def _write(self, records: Sequence[dict[str, Any]]) -> None:
        # Idempotent, because a record that is sent again while the broker throttles would be counted twice.
        once = {"enable.idempotence": "true", "client.id": "x", "log_level": 0}
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers, **once})
        for number, record in enumerate(records):
            producer.produce(self.stack.topic, partition=number % 3, **record)
        left = producer.flush(600)
        assert left == 0
        options = ("-b", self.kafka.bootstrap_servers, "-t", self.stack.topic, "-p", "1", "-k", "k")
        command = ("kcat", "-P", *options, "-X", "enable.idempotence=true", "-H", b"\xff\xfe=1")
        subprocess.run(command, input=b"v", check=True)
        self.sent["hostile records"] += len(records) + 1

    async def _throttle(self) -> None:
        """Limit every producer by a quota for a part of the time."""
        kind = ("--entity-type", "clients", "--entity-default")
        place = ("--bootstrap-server", self.kafka.bootstrap_servers, "--alter", *kind)
        tool = "kafka.admin.ConfigCommand"
        await asyncio.sleep(self.seconds * THROTTLED[0])
        await asyncio.to_thread(self.kafka.tool, tool, *place, "--add-config", f"producer_byte_rate={QUOTA}")
        await asyncio.sleep(self.seconds * (THROTTLED[1] - THROTTLED[0]))
        await asyncio.to_thread(self.kafka.tool, tool, *place, "--delete-config", "producer_byte_rate")

    async def _switch_over(self) -> None:
        """Set the primary read-only, end its sessions, and promote the standby when it has everything."""
        await asyncio.sleep(self.seconds * SWITCHED)
        await asyncio.to_thread(self._promote)

    def _promote(self) -> None:
        self.primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        self.primary.execute("SELECT pg_reload_conf()")
        eventually(lambda: self.primary.ask("SHOW default_transaction_read_only") == "on")
        self.primary.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'orderflow%' "
            "AND pid <> pg_backend_pid()"
        )
        writing = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'orderflow%' AND backend_xid IS NOT NULL"
        eventually(lambda: not self.primary.ask(writing), that="all transactions have ended")
        end = self.primary.ask("SELECT pg_current_wal_lsn()::text")
        eventually(lambda: self.standby.ask(f"SELECT pg_last_wal_replay_lsn() >= '{end}'"), deadline=300)
        self.standby.promote()

    # What is measured meanwhile.

    async def _measure(self, order: str) -> None:
        """Measure as a bystander until cancelled. Raises AssertionError, with what it logged, for a failed process."""
        livez = {"api": self.operations, **self.stack.doors}
        for port in livez.values():
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                await _answers(client, "/livez")
        pipe = asyncio.subprocess.PIPE
        asked = {"livez": livez, "order": f"http://127.0.0.1:{self.port}/v1/orders/{order}"}
        command = (sys.executable, "-m", "bench.bystander")
        bystander = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**30)
        assert bystander.stdin is not None
        assert bystander.stdout is not None
        bystander.stdin.write(json.dumps(asked).encode() + b"\n")
        reading = asyncio.create_task(bystander.stdout.read())
        try:
            await asyncio.shield(reading)
        finally:
            bystander.stdin.close()
            measured = json.loads(await reading)
            await bystander.wait()
            self.lives, self.reads, self.unanswered = (measured[it] for it in ("lives", "reads", "refused"))
        process = self.stack.processes[measured["failure"].partition(":")[0]]
        raise AssertionError(
            f"after {monotonic() - self.began:.1f} s, /livez of {measured['failure']}; {process.state}; "
            f"the end of its log:\n{process.last_words(60)}"
        )

    async def _watch_memory(self) -> None:
        while True:
            for name, process in self.stack.processes.items():
                self.memory.setdefault(name, []).append(psutil.Process(process.pid).memory_info().rss / 1e6)
            await asyncio.sleep(1)

    # What came of it.

    async def _verdict(self, day: DayResult) -> list[Finding]:
        """Stop the API, let relay and consumers catch up, and compare all. Raises AssertionError for any loss."""
        await asyncio.to_thread(self.api.stop)
        command = (*PROGRAM, "--json", "check", "--wait", "600")
        process = await asyncio.create_subprocess_exec(
            *command, env=self.stack.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode in (0, 1), err.decode()
        comparisons = json.loads(out)["report"]["comparisons"]
        differences = [each for it in comparisons for each in it["differences"]]
        foreign = [each for each in differences if FOREIGN in each["problem"]]
        others = [each for each in differences if FOREIGN not in each["problem"]]
        assert not others, others
        assert sum(it["found"] for it in comparisons) == len(foreign) == self.sent["hostile records"], (
            len(foreign),
            self.sent,
        )
        skipped = [it["name"] for it in comparisons if it["skipped"]]
        assert not skipped, skipped
        storage = SqlStorage.at(self.stack.database_url)
        await storage.open()
        try:
            stored = await storage.audit.many([f"{self.day.name}-{it}" for it in day.outcomes])
            heads = await storage.log.heads()
        finally:
            await storage.close()
        lost = [
            it
            for it, outcome in day.outcomes.items()
            if (order := stored.get(f"{self.day.name}-{it}")) is None or order.state is not outcome.state
        ]
        unfinished = [it for it, outcome in day.outcomes.items() if not outcome.state.terminal]
        assert len(day.outcomes) == self.orders, len(day.outcomes)
        assert (lost, unfinished) == ([], []), (lost, unfinished)
        assert not self.statuses[500], self.statuses
        return [
            Finding(what="orders of the day, of which none was lost", values=[self.orders], unit=""),
            Finding(what="events, each handled once by each consumer", values=[sum(heads.values())], unit=""),
        ]

    def _figures(self, took: float, repeated: int) -> list[Finding]:
        log = sum(it.stat().st_size for it in self.stack.folder.glob("*.log"))
        answered = ", ".join(f"{status}: {many}" for status, many in sorted(self.statuses.items()))
        load = ", ".join(f"{it:.1f}" for it in os.getloadavg())
        return [
            Finding(what="time", values=[took], unit="s", aside=f"load of the machine at the end: {load}"),
            Finding(what="steps of the day that were repeated", values=[repeated], unit=""),
            *(Finding(what=f"hostile: {what}", values=[many], unit="") for what, many in self.sent.items()),
            Finding(what="responses to floods and texts", values=[self.statuses.total()], unit="", aside=answered),
            Finding(what="live streams at once", values=[self.most_streams], unit=""),
            Finding(what="a read of another caller", values=self.reads, unit="ms", aside=f"{self.unanswered} refused"),
            Finding(what="slowest /livez of five processes", values=[max(self.lives)], unit="ms", ceiling=1_000),
            Finding(what="/livez", values=self.lives, unit="ms"),
            *(Finding(what=f"memory of {name}", values=it, unit="MB") for name, it in self.memory.items()),
            Finding(what="logs of the five processes", values=[log / 1e6], unit="MB"),
        ]


async def _answers(client: httpx.AsyncClient, path: str) -> None:
    """Return when ``path`` is answered with 200 for the first time."""

    async def answered() -> bool:
        try:
            return (await client.get(path)).status_code == 200
        except httpx.TransportError:
            return False

    await eventually_async(answered, deadline=180, that=f"{client.base_url} answers {path}")


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    primary, standby, kafka = LocalPostgres(), LocalPostgres(), servers.kafka
    folder = servers.folder()
    with ExitStack() as closing:
        for server in (primary, standby):
            closing.callback(server.close)
        await asyncio.to_thread(primary.start)
        database = migrated(primary.create_database())
        await asyncio.to_thread(standby.follow, primary)
        hosts = f"{urlsplit(database).netloc},127.0.0.1:{urlsplit(standby.url).port}"
        either = urlunsplit(urlsplit(database)._replace(netloc=hosts, query="target_session_attrs=read-write"))
        processes = production(folder, either, kafka.bootstrap_servers, new_topic())
        stack = await asyncio.to_thread(closing.enter_context, processes)
        seconds = max(LEAST_SECONDS, SECONDS * effort.scale)
        run = HostileDay(
            stack, kafka, primary, standby, seconds, effort.of(ORDERS, least=60), effort.of(STREAMS, least=60)
        )
        return await run()
