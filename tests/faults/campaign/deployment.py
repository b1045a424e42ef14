"""The installation of the campaign: servers, links between them, and orderflow's processes as users start them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from attrs import define, field
from orderflow.testing.consumers.webhook_receiver import Receiver

from tests.support.kafka import LocalKafka
from tests.support.postgres import LocalPostgres
from tests.support.process import OwnProcess
from tests.support.servers import free_port
from tests.support.stack import PROGRAM
from tests.support.waiting import eventually_async

from .postgres_link import PostgresLink
from .proxy import Link

APIS = ("api-1", "api-2")
RELAYS = ("relay-1", "relay-2")
CONSUMERS = ("consumers-1", "consumers-2", "consumers-3")
PARTS = (*APIS, *RELAYS, *CONSUMERS)
TALKATIVE = ("api-2", "relay-2", "consumers-3")
"""Those that log every command and event, so that what must not be said would be."""
FAILING_HANDLER = (sys.executable, str(Path(__file__).with_name("failing_handler.py")), "consume")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(APIS, (*PROGRAM, "serve", "--no-relay", "--no-consumers")),
    **dict.fromkeys(RELAYS, (*PROGRAM, "relay")),
    **dict.fromkeys(CONSUMERS, FAILING_HANDLER),
}
"""Each consumer process runs all three consumers, so that what one has to leave another takes over."""
TOPIC = "order-events"
PARTITIONS = 6
"""More than any group has members, so that one more member gets some, too."""


def front(part: str) -> str:
    """The brokers' way in for that process."""
    return part.replace("-", "").upper()


@define(eq=False)
class Deployment:
    """``links`` are by the process and the server they join: ``(relay-1, postgres)``, ``(relay-1, kafka 2)``.

    ``ended`` has every process that ended without being killed by us: that is started again, as a supervisor
    would. ``commands`` stand in for those of some processes.
    """

    folder: Path
    seed: int
    password: str
    commands: Mapping[str, tuple[str, ...]] = field(factory=dict)
    postgres: LocalPostgres = field(factory=LocalPostgres, init=False)
    kafka: LocalKafka = field(init=False)
    database_url: str = field(default="", init=False)
    links: dict[tuple[str, str], Link] = field(factory=dict, init=False)
    processes: dict[str, OwnProcess] = field(factory=dict, init=False)
    ports: dict[str, int] = field(init=False)
    ended: list[str] = field(factory=list, init=False)
    downed: set[str] = field(factory=set, init=False)
    settings: dict[str, str] = field(factory=dict, init=False)
    receiver: Receiver = field(factory=Receiver, init=False)
    """Of webhooks, in this process; its connections are broken off when it is killed."""

    def __attrs_post_init__(self) -> None:
        self.kafka = LocalKafka(nodes=3, fronts=[front(part) for part in (*RELAYS, *CONSUMERS)])
        self.ports = {part: free_port() for part in PARTS}

    async def open(self) -> None:
        """Servers, schema, topic and processes, each of which answers."""
        await self.receiver.start()
        await self._lay_links()
        await asyncio.gather(asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.kafka.start))
        created = urlsplit(await asyncio.to_thread(self.postgres.create_database))
        user, _, host = created.netloc.rpartition("@")
        self.database_url = urlunsplit(created._replace(netloc=f"{user}:{self.password}@{host}"))
        made = (("db", "upgrade"), ("topics", "create"))
        await asyncio.gather(*(asyncio.to_thread(self.run, *each) for each in made))
        for part in PARTS:
            command = self.commands.get(part, COMMANDS[part])
            process = OwnProcess(command, self.folder / f"{part}.log", environment=self.environment(part))
            self.processes[part] = process
            process.start()
        for part in PARTS:
            await self.ready(part)

    async def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        await self.receiver.stop()
        for link in self.links.values():
            await link.close()
        await asyncio.to_thread(self.kafka.close)
        await asyncio.to_thread(self.postgres.close)

    async def _lay_links(self) -> None:
        database = urlsplit(self.postgres.url).port or 0
        for part in (*APIS, *RELAYS):
            self.links[part, "postgres"] = PostgresLink(free_port(), database)
        for part in (*RELAYS, *CONSUMERS):
            for member in self.kafka.members:
                way_in = member.fronts[front(part)]
                self.links[part, f"kafka {member.number}"] = Link(way_in.advertised, way_in.port)
        for link in self.links.values():
            await link.open()

    def environment(self, part: str = "") -> dict[str, str]:
        """The settings of a process; without a name, of a command line that comes by no link."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        url = urlsplit(self.database_url)
        if (link := self.links.get((part, "postgres"))) is not None:
            url = url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{link.port}")
        through = (part, "kafka 1") in self.links
        port = self.ports.get(part, 0)
        return kept | {
            "CAMPAIGN_SEED": f"{self.seed} {part}",
            "ORDERFLOW_DATABASE_URL": urlunsplit(url),
            "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": (
                self.kafka.servers_at(front(part)) if through else self.kafka.bootstrap_servers
            ),
            "ORDERFLOW_TOPIC": TOPIC,
            "ORDERFLOW_PAYMENT_GATEWAY": "sandbox",
            "ORDERFLOW_TOPIC_PARTITIONS": str(PARTITIONS),
            "ORDERFLOW_TOPIC_REPLICATION": "3",
            "ORDERFLOW_LOG_LEVEL": "info" if part in TALKATIVE else "warning",
            "ORDERFLOW_LOG_FORMAT": "json",
            "ORDERFLOW_HTTP_DEV": "true",
            "ORDERFLOW_NOTIFICATION_CHANNELS": "email",
            "ORDERFLOW_WEBHOOK_PRIVATE_ADDRESSES": "true",
            **({"ORDERFLOW_HTTP_PORT" if part in APIS else "ORDERFLOW_OPS_PORT": str(port)} if port else {}),
            **self.settings,
        }

    def run(self, *arguments: str, within: float = 120) -> Any:
        """Return the command's output with ``--json``. An exit code other than 0 fails, with all its output."""
        done = subprocess.run(
            (*PROGRAM, "--json", *arguments),
            capture_output=True,
            env=self.environment(),
            timeout=within,
            check=False,
        )
        said = f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout.decode()}\n{done.stderr.decode()}"
        assert done.returncode == 0, said
        return json.loads(done.stdout)

    async def ready(self, part: str, *, deadline: float = 90.0) -> None:
        """Return when that process runs and answers at its client. Raises AssertionError at the deadline."""

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.ports[part])
            except OSError:
                return False
            writer.close()
            return True

        await eventually_async(answers, deadline=deadline, every=0.1, that=f"{part} answers")

    def supervise(self) -> None:
        """Start again what has ended by itself."""
        for part, process in self.processes.items():
            if part not in self.downed and not process.running:
                self.ended.append(f"{part}: {process.last_words(3)}")
                process.start()

    async def connect(self) -> asyncpg.Connection:
        """To the database, by no link. Raises OSError, asyncpg.PostgresError while it is down."""
        return await asyncpg.connect(self.database_url, timeout=5, server_settings={"application_name": "campaign"})
