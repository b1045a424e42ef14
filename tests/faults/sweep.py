"""The sweep: the same work again and again, each time with a fault at the next crash point, until all had theirs."""

import asyncio
from collections.abc import Callable, Sequence

from attrs import define, field
from orderflow.application.check import CheckReport
from orderflow.application.notifications.notification import Contact
from orderflow.domain.errors import OrderFlowError
from orderflow.testing.crash_points import (
    AtCrashPoint,
    ConnectionFailure,
    CrashPointFault,
    CrashPoints,
    EachOnce,
    ProcessDied,
    none,
)

from .client import ORDERS, SHIPPER, SOLD_OUT, Client
from .counting_consumer import check_counts
from .installation import SHIPPED, Installation, Parts, process
from .invariants import Acknowledgement, Witness, check_mail, check_money, differences, invariants

PATIENCE = 600.0
"""Seconds from one process to the next by the installation's clock: what the last had claimed is free again."""
ALL = 1_000
"""Clients; a sweep ends long before."""
DEADLINE = 600.0
"""Seconds for one client's orders, whatever happens to them."""


@define
class SweepResult:
    """The result: ``points`` with a fault, the number of processes and orders, and the violated invariants."""

    points: int = 0
    processes: int = 0
    orders: int = 0
    compared: int = 0
    mailed_again: int = 0
    found: list[str] = field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.points} points, {self.processes} processes, {self.orders} orders, "
            f"{self.compared} comparisons, {self.mailed_again} mails sent again: {len(self.found)} differences"
        )


@define(eq=False)
class Sweep:
    """One installation and all who ask it for something. ``parts`` are what each process is made of."""

    installation: Installation
    parts: Parts = SHIPPED
    clients: list[Client] = field(factory=list, init=False)
    witness: Witness = field(factory=Witness, init=False)
    processes: int = field(default=0, init=False)

    async def live(self, trouble: ConnectionFailure = none) -> bool:
        """A client's orders from the first request to the last effect, in one process after the other.

        Whether there was any trouble. Raises TimeoutError, AssertionError when the work does not end.
        """
        client = Client(f"c{len(self.clients)}")
        if not self.clients:
            await self._prepare()
        self.clients.append(client)
        any_trouble = False
        async with asyncio.timeout(DEADLINE):
            while await self._process(client, trouble):
                any_trouble = True
                self.installation.clock.forward(seconds=PATIENCE)
        return any_trouble

    async def _prepare(self) -> None:
        _, effects = await self.installation.connect()
        await effects.stock.set("R1", SOLD_OUT, 0)
        await effects.contacts.set(Contact(party=f"shipper:{SHIPPER}", email="s1@example.org"))

    async def _process(self, client: Client, trouble: ConnectionFailure) -> bool:
        """One process, to its end or its death; whether it met any trouble."""
        self.processes += 1
        crash_points = CrashPoints(trouble)
        try:
            it = await process(self.installation, crash_points, self.parts)
            self.witness.look(await it.reached())
            await client.ask(it)
            await it.work()
        except ProcessDied:
            return True
        return crash_points.troubles > 0

    async def finish(self) -> None:
        """Do all that is left, also what is due only later, such as payment attempts."""
        self.installation.clock.forward(hours=1)
        await (await process(self.installation, CrashPoints())).work()

    async def check(self) -> CheckReport:
        """All invariants on all that was asked so far."""
        acknowledged = [
            Acknowledgement(
                client.key(request, self.installation),
                response.order_id,
                response.version,
                response.body,
                request.creates,
            )
            for client in self.clients
            for request in client.requests
            if (response := client.acknowledged.get(request.what)) is not None
        ]
        ids = {it.order_id for it in acknowledged}
        it = await process(self.installation, CrashPoints())
        storage, effects = it.container.storage().inner, it.container.effects().inner
        self.witness.look(await it.reached())
        report = await invariants(it.container, acknowledged, self.witness)
        await check_money(storage, ids, self.installation.gateway, report)
        await check_mail(effects, ids, self.installation.mail.sent, report)
        await check_counts(storage, effects, report)
        return report


async def sweep(
    installation: Installation,
    hows: Sequence[CrashPointFault],
    parts: Parts = SHIPPED,
    *,
    clients: int = ALL,
    often: bool = False,
) -> SweepResult:
    """Meet each of ``hows`` once at every crash point, while client after client places its orders; then check all.

    It ends with the first client that meets no trouble, or after that many ``clients``.
    With ``often`` all is checked after each client as well, and the first difference ends it.
    """
    trouble, going = EachOnce(hows), Sweep(installation, parts)
    swept = SweepResult()
    more = True
    while more and len(going.clients) < clients and not swept.found:
        try:
            more = await going.live(trouble)
        except (AssertionError, TimeoutError) as problem:
            swept.found.append(f"the work does not end: {problem}")
            break
        except OrderFlowError as problem:
            swept.found.append(f"a process fails: {problem}")
            break
        if often:
            await _note(going, swept)
    if not swept.found:
        await _note(going, swept)
    swept.points = len(trouble.met)
    swept.processes, swept.orders = going.processes, ORDERS * len(going.clients)
    return swept


async def sweep_each_alone(new: Callable[[], Installation], hows: Sequence[CrashPointFault]) -> SweepResult:
    """Meet every crash point of an installation's first orders, each in a new installation that is checked."""
    swept = SweepResult()
    for how in hows:
        trouble = AtCrashPoint(1, how)
        going = Sweep(new())
        while await going.live(trouble):
            before = len(swept.found)
            compared, mailed = swept.compared, swept.mailed_again
            await _note(going, swept)
            swept.compared, swept.mailed_again = swept.compared + compared, swept.mailed_again + mailed
            swept.found[before:] = [f"{how} {trouble.met}: {problem}" for problem in swept.found[before:]]
            swept.points, swept.orders = swept.points + 1, swept.orders + ORDERS
            swept.processes += going.processes
            trouble, going = AtCrashPoint(trouble.at + 1, how), Sweep(new())
    return swept


async def _note(going: Sweep, swept: SweepResult) -> None:
    await going.finish()
    report = await going.check()
    swept.found += differences(report)
    swept.compared = sum(comparison.compared for comparison in report.comparisons)
    sent = going.installation.mail.sent
    swept.mailed_again = len(sent) - len({message.key for message in sent})
