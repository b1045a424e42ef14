"""``codec``: events to JSON and back, against pydantic, cattrs with orjson, and the standard library."""

import asyncio
from collections.abc import Callable, Sequence
from time import process_time

from orderflow.adapters import wire
from orderflow.application.event_log.records import LogRecord
from orderflow.domain.events import OrderEvent

from .finding import Effort, Finding, Turn, in_turn, rates, ratios
from .history import lived, records
from .peers.codecs import CATTRS, PYDANTIC, STANDARD, Codec
from .servers import Servers

ORDERS = 300
PEERS = {"pydantic": PYDANTIC, "cattrs and orjson": CATTRS, "json": STANDARD}


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    log = await records(await lived(effort.of(ORDERS)))
    events = [wire.decode_record(record) for record in log]
    ours = Codec(wire.encode, lambda body: wire.decode(body, sequence=1))
    found = []
    for what, turn in (("encode", _encoding), ("decode", _decoding)):
        sides: list[Turn] = [turn(codec, log, events) for codec in (ours, *PEERS.values())]
        our, *others = await in_turn(effort, *sides)
        for name, theirs in zip(PEERS, others, strict=True):
            aside = rates("events", orderflow=our, **{name.replace(" ", "_"): theirs})
            found.append(Finding(what=f"{what} / {name}", values=ratios(our, theirs), aside=aside))
    return found


def _decoding(codec: Codec, log: Sequence[LogRecord], events: Sequence[OrderEvent]) -> Turn:
    return lambda: _rate(lambda: [codec.decode(record.body) for record in log])


def _encoding(codec: Codec, log: Sequence[LogRecord], events: Sequence[OrderEvent]) -> Turn:
    given = [codec.prepared(event, record.body) for event, record in zip(events, log, strict=True)]
    return lambda: _rate(lambda: [codec.encode(it) for it in given])


async def _rate(code: Callable[[], Sequence[object]]) -> float:
    """Events per second of this process's own processor time."""
    await asyncio.sleep(0)
    began = process_time()
    done = code()
    return len(done) / max(process_time() - began, 1e-6)
