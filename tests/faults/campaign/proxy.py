"""A loopback TCP proxy: a link between one process and one server, which can be cut, or lose what goes one way."""

import asyncio
from contextlib import suppress
from enum import StrEnum
from functools import partial

from attrs import define, field


class Way(StrEnum):
    """In which direction bytes go."""

    UP = "to the server"
    DOWN = "from the server"


@define(eq=False)
class Pair:
    """One connection through a link: ``client`` and ``server`` are its two ends; ``lost`` once bytes were swallowed."""

    link: "Link"
    client: "End" = field(init=False)
    server: "End" = field(init=False)
    lost: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.client, self.server = End(self, Way.UP), End(self, Way.DOWN)

    def other(self, end: "End") -> "End":
        return self.server if end is self.client else self.client

    def break_off(self) -> None:
        """Both ends learn at once that the other is gone."""
        for end in (self.client, self.server):
            if end.transport is not None:
                end.transport.abort()


@define(eq=False)
class End(asyncio.Protocol):
    """One end of a connection; what is received here goes that ``way``."""

    pair: Pair
    way: Way
    transport: asyncio.Transport | None = field(default=None, init=False)
    _early: list[bytes] = field(factory=list, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self is self.pair.client:
            self.pair.link.opened(self.pair)
        for data in self._early:
            transport.write(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if (passed := self.pair.link.passes(self.pair, self.way, data)) is not None:
            self.pair.other(self).give(passed)

    def give(self, data: bytes) -> None:
        if self.transport is None:
            self._early.append(data)
        else:
            self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.pair.link.closed(self.pair)
        other = self.pair.other(self).transport
        if other is not None:
            other.close() if exc is None else other.abort()

    def pause_writing(self) -> None:
        if (other := self.pair.other(self).transport) is not None:
            other.pause_reading()

    def resume_writing(self) -> None:
        if (other := self.pair.other(self).transport) is not None:
            other.resume_reading()


@define(eq=False)
class Link:
    """Forwards ``port`` to ``upstream``, both on loopback.

    ``dropped`` counts connections that were broken off or refused, ``swallowed`` bytes that vanished on their way.
    """

    port: int
    upstream: int
    dropped: int = field(default=0, init=False)
    swallowed: int = field(default=0, init=False)
    _pairs: set[Pair] = field(factory=set, init=False)
    _is_cut: bool = field(default=False, init=False)
    _black: Way | None = field(default=None, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _connecting: set[asyncio.Task[None]] = field(factory=set, init=False)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self.pair().client, "127.0.0.1", self.port, backlog=512)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for pair in list(self._pairs):
            pair.break_off()
        for task in list(self._connecting):
            task.cancel()

    def pair(self) -> Pair:
        return Pair(self)

    def cut(self) -> None:
        """Every connection is broken off, and a new one is refused, until ``heal``."""
        self._is_cut = True
        self._break_off(list(self._pairs))

    def blackhole(self, way: Way) -> None:
        """Drop what is sent that way, without an error on either side, until ``heal``."""
        self._black = way

    def heal(self) -> None:
        """All goes through again. Connections that lost something on the way break off, as they could not go on."""
        self._is_cut, self._black = False, None
        self._break_off([pair for pair in self._pairs if pair.lost])

    def _break_off(self, pairs: list[Pair]) -> None:
        self.dropped += len(pairs)
        for pair in pairs:
            pair.break_off()

    # Called by the ends.

    def opened(self, pair: Pair) -> None:
        if self._is_cut:
            self._break_off([pair])
            return
        self._pairs.add(pair)
        task = asyncio.create_task(self._connect(pair))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def closed(self, pair: Pair) -> None:
        self._pairs.discard(pair)

    def passes(self, pair: Pair, way: Way, data: bytes) -> bytes | None:
        """Return the part of ``data`` that is forwarded that way; None if it is dropped."""
        if self._black is way:
            self.swallowed += len(data)
            pair.lost = True
            return None
        return data

    async def _connect(self, pair: Pair) -> None:
        connect = partial(asyncio.get_running_loop().create_connection, lambda: pair.server)
        with suppress(asyncio.CancelledError):
            try:
                await connect("127.0.0.1", self.upstream)
            except OSError:  # the server is down: its client sees the same as without us
                pair.break_off()
                return
            if pair not in self._pairs:  # the client has gone meanwhile
                pair.break_off()
