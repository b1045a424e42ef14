"""The campaign from the first request to the verdict."""

import asyncio
import gc
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from attrs import define, field, frozen
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.application.check import CheckReport
from orderflow.application.check.report import Comparison
from orderflow.application.notifications.notification import Contact
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.embedded import OrderFlow
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.smtp import SmtpServer
from tests.support.waiting import eventually_async

from ..invariants import ACKNOWLEDGED, CONVERGED, CURSORS
from . import verdict
from .cursor_watch import Watch
from .deployment import PARTS, TOPIC, Deployment
from .failing_handler import HANDLER_FAILED, POISON
from .fault_injection import FaultInjection
from .timetable import DEMANDED, Fault, Kind, counted, timetable
from .workload import CARD, INSIDE, MAIL, SOLD_OUT, STREET, Plan, Workload

Say = Callable[[str], None]

LAG = "lag is 0 within 30 s of the last fault"
INVARIANTS = {
    ACKNOWLEDGED: 1,
    "positions are dense in each bucket": 2,
    "versions are dense and paths legal in each order": 2,
    verdict.DENSE: 2,
    "row = fold(log)": 3,
    "fold(log) = fold(topic)": 3,
    "money is conserved": 3,
    "the topic holds the log's events, each once and in order": 4,
    verdict.ON_TOPIC: 5,
    CURSORS: 5,
    CONVERGED: 7,
    verdict.PARKED: 8,
    verdict.REDRIVEN: 8,
    LAG: 9,
    verdict.SILENT: 10,
    verdict.WEBHOOKS: 11,
}
"""Their numbers; a comparison that is not named here is one of a consumer's effects, which is 6."""
PASSWORD = "planted-password"
LAG_SECONDS = 30.0
WEBHOOK_SECONDS = 120.0
"""A failing endpoint is probed at growing intervals."""
WEBHOOKS_OF = "R1"
"""The restaurant whose events are sent to the receiver of webhooks."""
REACHABLE = 4
"""Of the customers, so many have an address to which mail goes."""


@frozen
class Size:
    """Faults come over so many ``seconds``; ``orders`` begin over a tenth more, or longer where the machine is slower.

    The campaign fails with fewer than ``EVENTS_EACH`` times as many events.
    """

    name: str
    orders: int
    seconds: float
    faults: Mapping[Kind, int]


EVENTS_EACH = 5
LONGER = 1.1
"""Faults need requests, also one that comes late because another took longer."""
LARGE = Size("large", 30_000, 370.0, DEMANDED)
SMALL = Size("small", 2_000, 75.0, dict.fromkeys(DEMANDED, 1))
"""Every kind of fault once."""
MUTANT = Size("mutant", 600, 20.0, {Kind.RELAY_KILLED: 3})
SIZES = {size.name: size for size in (LARGE, SMALL)}


@define(eq=False)
class Campaign:
    """One run. ``failures`` are faults that could not be made, and what never came back."""

    size: Size
    seed: int
    folder: Path
    say: Say
    commands: Mapping[str, tuple[str, ...]] = field(factory=dict)
    deployment: Deployment = field(init=False)
    workload: Workload = field(init=False)
    injection: FaultInjection = field(init=False)
    watch: Watch = field(init=False)
    failures: list[str] = field(factory=list, init=False)
    topic: verdict.Topic = field(factory=verdict.Topic, init=False)
    stumbles: int = field(default=0, init=False)
    mails: int = field(default=0, init=False)
    _suffered: float = field(default=0.0, init=False)
    _secrets: list[str] = field(factory=list, init=False)
    _began: float = field(default=0.0, init=False)
    _lag: float | None = field(default=None, init=False)

    async def __call__(self) -> CheckReport:
        """All of it. Raises what keeps it from being judged."""
        began = monotonic()
        lanes = timetable(self.seed, self.size.seconds, self.size.faults)
        self.say(f"seed {self.seed}: {self.size.orders} orders, {counted(lanes).total()} faults")
        self.deployment = Deployment(self.folder, self.seed, PASSWORD, self.commands)
        with SmtpServer() as mail:
            self.deployment.settings["ORDERFLOW_SMTP_PORT"] = str(mail.port)
            try:
                await self.deployment.open()
                async with OrderFlow.open(self._settings()) as inside:
                    await self._prepare(inside)
                    self.say(f"servers and {len(PARTS)} processes after {monotonic() - began:.0f} s")
                    await self._suffer(lanes)
                    asked = await self.workload.ask_again()
                    await self._webhooks_sent(inside)
                report = await self._verdict(asked)
            finally:
                await self.deployment.close()
        self.mails = len(mail.mails)
        self.say(f"{monotonic() - began:.0f} s in all")
        return report

    async def _prepare(self, inside: OrderFlow) -> None:
        token = (await asyncio.to_thread(self.deployment.run, "tokens", "make", "--role", "admin", "--id", "boss"))[
            "token"
        ]
        self._secrets = [STREET, CARD, PASSWORD, f"{MAIL}-", token]
        effects: SqlConsumerStores = inside.container.effects()
        for number in range(31):
            await effects.stock.set(f"R{number}", SOLD_OUT, 0)
        for number in range(REACHABLE):
            await effects.contacts.set(Contact(party=f"customer:C{number}", email=f"{MAIL}-{number}@example.org"))
        receiver = self.deployment.receiver
        _, receiver.secret = await inside.container.change_endpoints().add(receiver.url, restaurants=[WEBHOOKS_OF])
        ports = [self.deployment.ports["api-1"], self.deployment.ports["api-2"]]
        self.watch = Watch(self.deployment)
        self.workload = Workload(Plan(self.seed, self.size.orders), ports, token, inside, self._due)
        self.injection = FaultInjection(self.deployment, self.workload)

    async def _suffer(self, lanes: Sequence[Sequence[Fault]]) -> None:
        """Orders and faults, until both have ended."""
        enough = asyncio.Event()
        watching = asyncio.create_task(self.watch(enough))
        reporting = asyncio.create_task(self._report_progress())
        self._began = monotonic()
        try:
            await asyncio.gather(self.workload(), *(self._lane(lane) for lane in lanes))
            self._suffered = monotonic() - self._began
            self.say(f"{len(self.workload.acknowledged)} requests acknowledged in {self._suffered:.0f} s")
            self._lag = await self._caught_up()
            self.say(f"nothing left to do {self._lag and f'{self._lag:.1f} s'} later")
        finally:
            reporting.cancel()
            enough.set()
            await watching

    async def _due(self, part: float) -> None:
        """Return when that part of the orders' time has come; later while those behind the client are far behind."""
        await self.watch.near.wait()
        await asyncio.sleep(self._began + LONGER * self.size.seconds * part - monotonic())

    async def _lane(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(self._began + fault.at - monotonic())
            try:
                await self.injection(fault)
            except Exception as error:  # noqa: BLE001 - whatever it was, this fault was not made as it should be
                self.failures.append(f"{fault.kind} at {fault.at:.0f} s: {error!r}")

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(15)
            self.say(
                f"{monotonic() - self._began:4.0f} s: {len(self.workload.orders)} orders begun, "
                f"{len(self.workload.acknowledged)} requests acknowledged, "
                f"{self.workload.over_http} of them over HTTP, {self.injection.made.total()} faults made"
            )

    async def _caught_up(self) -> float | None:
        try:
            return await self.watch.caught_up(LAG_SECONDS)
        except AssertionError as problem:
            self.failures.append(f"{LAG}: {problem}")
        try:
            await self.watch.caught_up(LAG_SECONDS)  # so that all else can be judged as well
        except AssertionError as problem:
            self.failures.append(f"nor later: {problem}")
        return None

    async def _webhooks_sent(self, inside: OrderFlow) -> None:
        webhooks = inside.container.effects().webhooks

        async def all_sent() -> bool:
            return not (await webhooks.summary()).backlog.pending

        try:
            await eventually_async(all_sent, deadline=WEBHOOK_SECONDS, every=0.5, that="all webhooks were accepted")
        except AssertionError as problem:
            self.failures.append(f"{problem}; {await webhooks.summary()}; {await webhooks.endpoints()}")

    async def _verdict(self, asked: int) -> CheckReport:
        planted = re.compile("|".join(re.escape(secret) for secret in self._secrets).encode())
        poison = [order_id for order_id in self.workload.orders if POISON.fullmatch(order_id)]
        connection = await self.deployment.connect()
        try:
            extra = CheckReport()
            await verdict.check_parked(connection, poison, extra)
            redriven = extra.start(verdict.REDRIVEN, "orders")
            reading = asyncio.create_task(
                asyncio.to_thread(verdict.read_topic, self.deployment.kafka.bootstrap_servers, planted)
            )
            logs = [process.log for process in self.deployment.processes.values()]
            self.stumbles = sum(log.read_bytes().count(HANDLER_FAILED.encode()) for log in logs)
            silent = await verdict.check_secrets(connection, logs, planted, extra)
            redrive = ("dead-letters", "redrive", "--all", "--by", "campaign", "--reason", "the cause is fixed")
            for done in await asyncio.to_thread(self.deployment.run, *redrive):
                redriven.compared += len(done["unparked"])
            for row in await connection.fetch("SELECT order_id FROM parked_orders"):
                redriven.differ(f"order {row['order_id']}", "is parked still")
            redriven_orders = sum(it.compared for it in extra.comparisons if it.name == verdict.PARKED)
            noted = await connection.fetchval("SELECT count(*) FROM dead_letter_actions WHERE by = 'campaign'")
            if noted != redriven_orders:
                redriven.differ("audit", f"{redriven_orders} dead letters were redriven, {noted} are in the audit")
            self.topic = topic = await reading
            verdict.check_leaks(topic, silent)
            await self._stop()
            gc.collect()
            gc.freeze()  # what was gathered until now is not walked through again and again while all is compared
            report = await self._check()
            await verdict.check_log_and_topic(connection, topic, report)
            await verdict.check_webhooks(connection, self.deployment.receiver, WEBHOOKS_OF, report)
            await verdict.check_requests(connection, self.workload, asked, report)
            verdict.check_cursors(self.watch.witness.looks, self.watch.witness.gone_back, report)
            report.comparisons += extra.comparisons
            lag = report.start(LAG, "time" if self._lag is None else f"time: {self._lag:.1f} s")
            lag.compared = 1
            if self._lag is None:
                lag.differ("lag", f"was not 0 after {LAG_SECONDS:g} s")
            return report
        finally:
            gc.unfreeze()
            await connection.close()

    async def _check(self) -> CheckReport:
        """``orderflow check``, in this process."""
        container: Any = container_for(self._settings())
        async with opened(container):
            report: CheckReport = await container.check()()
        for note in report.notes:
            self.failures.append(f"check notes: {note}")
        return report

    def _settings(self) -> Settings:
        """Of this process, which comes to the servers by no link."""
        return Settings(
            database_url=self.deployment.database_url,
            kafka_bootstrap_servers=self.deployment.kafka.bootstrap_servers,
            topic=TOPIC,
            database_pool_size=INSIDE // 2,
            payment_gateway="sandbox",
            webhook_private_addresses=True,
        )

    async def _stop(self) -> None:
        """Every process ends in order when it is asked to."""
        self.deployment.downed.update(PARTS)
        await asyncio.gather(*(asyncio.to_thread(it.stop) for it in self.deployment.processes.values()))

    def figures(self, report: CheckReport) -> list[str]:
        """Return lines on the faults and their outcome."""
        witness, workload, made = self.watch.witness, self.workload, self.injection.made
        asked_again = ", ".join(f"{many} {reason}" for reason, many in sorted(workload.again.items()))
        return [
            f"seed {self.seed}: {len(workload.orders)} orders, {len(workload.acknowledged)} requests acknowledged, "
            f"{workload.over_http} of them over HTTP, {made.total()} faults in {self._suffered:.0f} s",
            *(f"{many:4} {kind}" for kind, many in made.items()),
            *(f"     {detail}: {many}" for detail, many in sorted(self.injection.details.items())),
            f"{len(workload.unknown)} requests had an outcome that was not known; asked again: {asked_again}",
            f"{self.stumbles} times a handler failed on purpose; {self.mails} mails arrived",
            f"{self.topic.aborted} records stand on the topic uncommitted",
            f"{witness.looks} looks at cursors, {witness.missed} more without an answer",
            *(f"ended by itself and was started again: {end}" for end in self.deployment.ended),
            *(_verdict(it) for it in sorted(report.comparisons, key=_invariant)),
        ]


def _invariant(compared: Comparison) -> int:
    """The number by which the issue calls it; the effects of each consumer are one."""
    return INVARIANTS.get(compared.name, 6)


def _verdict(compared: Comparison) -> str:
    what = compared.skipped or f"{compared.compared} {compared.unit}, {compared.found} differences"
    return f"({_invariant(compared)}) {compared.name}: {what}"


def missing(campaign: Campaign, report: CheckReport) -> list[str]:
    """The faults, events and comparisons that were demanded and not made."""
    made = campaign.injection.made
    lacking = [f"{kind}: {made[kind]} of {many}" for kind, many in campaign.size.faults.items() if made[kind] < many]
    if (events := len(campaign.topic.records)) < campaign.size.orders * EVENTS_EACH:
        lacking.append(f"{events} of {campaign.size.orders * EVENTS_EACH} events")
    if not campaign.stumbles:
        lacking.append("no handler ever stumbled")
    return lacking + [f"{it.name}: {it.skipped or 'nothing'} compared" for it in report.comparisons if not it.compared]
