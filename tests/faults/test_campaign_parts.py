"""The parts of the campaign work: its timetable, its orders and its links."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.domain.errors import StorageUnavailable
from orderflow.testing.orders import commit, placed

from tests.support.servers import free_port
from tests.support.waiting import eventually_async
from tests.unit.domain.actors import place

from .campaign.postgres_link import PostgresLink
from .campaign.proxy import Link, Way
from .campaign.timetable import DEMANDED, Kind, counted, timetable
from .campaign.workload import BY_HTTP, Plan
from .conftest import Connect


def test_a_seed_makes_its_faults_and_orders_again() -> None:
    first, same, other = (
        (timetable(seed, 300), [(order.id, order.steps) for order in Plan(seed, 500).orders()]) for seed in (7, 7, 8)
    )

    assert first == same
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_every_fault_that_is_demanded_is_in_the_timetable() -> None:
    lanes = timetable(1, 300)

    assert counted(lanes) == Counter(DEMANDED)
    assert set(DEMANDED) == set(Kind)
    for lane in lanes:
        assert [fault.at for fault in lane] == sorted(fault.at for fault in lane)
        assert all(0 <= fault.at <= 300 for fault in lane)
    cut = [[it.way for lane in lanes for it in lane if it.kind is kind] for kind in Kind if kind.startswith("link")]
    assert all(Counter(ways) == Counter([None, Way.UP, Way.DOWN]) for ways in cut)


def test_a_plan_makes_its_orders_into_enough_events() -> None:
    plan = Plan(1, 3_000)

    events = sum(step.events for order in plan.orders() for step in order.steps)

    assert len({order.id for order in plan.orders()}) == 3_000
    assert sum(order.id.startswith("poison") for order in plan.orders()) >= 50
    assert sum(order.steps[0].by_http for order in plan.orders()) == 3_000 / BY_HTTP
    assert events >= 15_000


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """To a server that says again what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link(free_port(), server.sockets[0].getsockname()[1])
    await link.open()
    yield link
    await link.close()
    server.close()


async def _say(link: Link, what: bytes) -> bytes:
    """Return the reply on a new connection; nothing if it breaks off."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(what)
        answer = await asyncio.wait_for(reader.read(1000), 180)
        writer.close()
    except OSError:
        return b""
    return answer


async def test_a_link_forwards_until_it_is_cut_and_after_it_is_healed(link: Link) -> None:
    before = await _say(link, b"before")

    link.cut()
    meanwhile = await _say(link, b"meanwhile")
    link.heal()

    assert (before, meanwhile) == (b"before", b"")
    assert await _say(link, b"after") == b"after"
    assert link.dropped > 0


@pytest.mark.parametrize("way", Way)
async def test_what_goes_one_way_vanishes_and_the_connection_breaks_off_when_it_is_healed(link: Link, way: Way) -> None:
    link.blackhole(way)
    speaking = asyncio.create_task(_say(link, b"lost"))
    await eventually_async(lambda: link.swallowed == len(b"lost"), that="the bytes are swallowed")

    link.heal()

    assert await speaking == b""
    assert await _say(link, b"after") == b"after"


async def test_a_commit_whose_acknowledgement_is_kept_back_was_done(postgresql_url: str, connect: Connect) -> None:
    address = urlsplit(postgresql_url)
    link = PostgresLink(free_port(), address.port or 5432)
    await link.open()
    through: SqlStorage = await connect(address._replace(netloc=f"{address.username}@127.0.0.1:{link.port}").geturl())
    await placed(through, "placed")
    await through.views.get("placed")

    link.swallow_next()
    await through.views.get("placed")  # reading is answered
    with pytest.raises(StorageUnavailable):
        await placed(through, "unanswered")

    assert link.acknowledgements == 1
    assert (await through.views.get("unanswered")).version == 1
    await commit(through, place(id="next"))
    await link.close()
