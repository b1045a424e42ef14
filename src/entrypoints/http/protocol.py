"""HTTP/1.1 on one connection: httptools parses the requests, and an ASGI application responds to them in order.

It runs in uvicorn's server, in place of uvicorn's own protocols. It is as strict as httptools is without leniency, and
refuses what is ambiguous, so that no proxy can read a request in another way.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from .connections import PROGRESS_BYTES, Connections
from .request_cycle import STATUS_LINES, RequestCycle

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request's line and headers, and of what may stand between two pieces of its body."""
MAX_BUFFERED = 64 * 1024
"""Bytes of a body that are received before the application reads them."""
MAX_PIPELINED = 64
"""Requests that a client may send before it has the response to the first."""
LINGER_SECONDS = 1.0
"""Seconds without a byte after which a connection is closed whose request was refused before it was received."""

_PIECE = 16 * 1024
"""Bytes that are parsed before it is checked how many of them were no part of a body."""
_ANY_METHOD = re.compile(rb"[A-Za-z]+ ")
_OTHER_PROTOCOL = re.compile(rb"(?:\A|(?<=\n))[A-Z_-]+ +[^ \r\n]+ +(?:RTSP|ICE)/")
"""A request line that httptools takes for one of HTTP. No header, and no line of JSON, looks like it."""


class _Refused(Exception):
    """Raised while a request is parsed, with the status to respond with."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _shortened(line: bytes) -> bytes:
    return line if len(line) <= 1_000 else line[:500] + line[-500:]


class HttpProtocol(asyncio.Protocol):
    """One connection, within the limits of ``connected``. ``config`` and ``server_state`` are uvicorn's."""

    transport: asyncio.Transport

    def __init__(self, connected: Connections, config: Any, server_state: Any, _loop: Any = None, **_: Any) -> None:
        self.connected = connected
        self.app = config.loaded_app
        self.idle_seconds: float = config.timeout_keep_alive
        self.state = server_state
        self.default_headers: Callable[[], list[tuple[bytes, bytes]]] = lambda: server_state.default_headers
        self.loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.cycles: deque[RequestCycle] = deque()
        """Requests without a complete response. The application has the first."""
        self.parsed: RequestCycle | None = None
        """The request of which the body is being received."""
        self.refuses_input = False
        """True once what arrives is ignored: the connection ends with the response to what was read."""
        self.input_ended = False
        """True once the client has shut down its side of the connection."""
        self.lingers = False
        """True once all responses are written, and what the client still sends is ignored."""
        self.ignored = True
        """True if something that is ignored has arrived since ``_linger`` looked last."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.target = b""
        self.in_head = False
        self.line = b""
        """The line that was received last, if it is of a head and incomplete; of a long one, its two ends."""
        self.unparsed = 0
        """Bytes since the last part of a request that was complete."""
        self.writable = asyncio.Event()
        self.writable.set()
        self.idle_since = 0.0
        self.idle_timer: asyncio.TimerHandle | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self.write_deadline: asyncio.TimerHandle | None = None
        self.below: asyncio.Transport | None = None
        """The transport below that of TLS, in which encrypted bytes wait as well."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.state.connections.add(self)
        client = get_remote_addr(transport)
        self.shared_scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http" if self.below is None else "https",
            "server": get_local_addr(transport),
            "client": client,
            "root_path": "",
        }
        self.address = client[0] if client else ""
        if self.connected.admits(self.address):
            self._await("headers")
        else:
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        self.connected.leave(self.address)
        for timer in (self.deadline, self.write_deadline, self.idle_timer):
            if timer is not None:
                timer.cancel()
        for cycle in self.cycles:
            cycle.disconnect()
        self.writable.set()

    def eof_received(self) -> bool:
        """Respond to complete requests of a client that shut down its side, and let the transport close otherwise.

        The client of a live stream ends it so, and TLS has no connections of one side.
        """
        self.input_ended = True
        complete = bool(self.cycles) and self.cycles[-1].received and not self.cycles[0].live
        if complete and self.below is None and not self.lingers:
            self._read_no_more()
            return True
        self._await_reader()
        return False

    def data_received(self, data: bytes) -> None:
        if self.refuses_input or self.transport.is_closing():
            self.ignored = True
            return
        try:
            for start in range(0, len(data), _PIECE):
                piece = data if len(data) <= _PIECE else data[start : start + _PIECE]
                self.unparsed += len(piece)
                if b"RTSP/" in piece or b"ICE/" in piece or self.line:
                    self._refuse_other_protocols(piece)
                self.parser.feed_data(piece)
                self.line = _shortened((self.line + piece).rpartition(b"\n")[2]) if self.in_head else b""
                if self.unparsed > MAX_HEAD_BYTES:
                    raise _Refused(431 if self.parsed is None else 400)
        except httptools.HttpParserUpgrade:  # there is no other protocol, so that what follows has no meaning
            self._read_no_more()
        except httptools.HttpParserCallbackError as error:
            if not isinstance(refused := error.__context__, _Refused):
                raise
            self._invalid(refused.status)
        except _Refused as refused:
            self._invalid(refused.status)
        except httptools.HttpParserInvalidMethodError:
            self._invalid(501 if _ANY_METHOD.match(data) else 400)
        except httptools.HttpParserError:
            self._invalid(400)
        else:
            if self.parsed is not None:
                if self.deadline is None:
                    self._await("body")
            elif self.in_head and self.deadline is None:
                self._await("headers")
            if len(self.cycles) > 1 or (self.parsed is not None and len(self.parsed.body) > MAX_BUFFERED):
                self.transport.pause_reading()

    def on_message_begin(self) -> None:
        if len(self.cycles) >= MAX_PIPELINED:
            raise _Refused(400)
        self.headers, self.target, self.in_head = [], b"", True

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # trailers are ignored
            self.headers.append((name.lower(), value.rstrip(b" \t")))  # RFC 9110, section 5.5

    def on_headers_complete(self) -> None:
        version, headers = self.parser.get_http_version(), self.headers
        hosts = codings = size = 0
        continues = False
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding":
                codings += 1
                if value.lower() != b"chunked":
                    raise _Refused(501)
            elif name == b"expect":
                continues = value.lower() == b"100-continue"
        if size + len(self.target) > MAX_HEAD_BYTES:
            raise _Refused(431)
        if version not in ("1.0", "1.1"):
            raise _Refused(505)
        if hosts > 1 or (not hosts and version == "1.1") or (codings and version == "1.0"):
            raise _Refused(400)
        method = self.parser.get_method().decode("ascii")
        raw_path, _, query = self.target.partition(b"?")
        scope = {
            **self.shared_scope,
            "http_version": version,
            "method": method,
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
            "state": {},
        }
        self.in_head, self.unparsed = False, 0
        self.parsed = RequestCycle(
            self,
            scope,
            keep_alive=version == "1.1" and self.parser.should_keep_alive(),
            expects_continue=continues and version == "1.1",
            head_only=method == "HEAD",
        )
        self._stop_waiting()
        self.cycles.append(self.parsed)
        if len(self.cycles) == 1:
            self._run(self.parsed)

    def on_body(self, body: bytes) -> None:
        self.unparsed = 0
        if (cycle := self.parsed) is not None and not cycle.ended:
            cycle.body += body
            cycle.arrived.set()

    def on_message_complete(self) -> None:
        self.unparsed = 0
        if (cycle := self.parsed) is not None:
            cycle.received = True
            cycle.arrived.set()
            self.parsed = None
            self._stop_waiting()

    def ended(self, cycle: RequestCycle) -> None:
        """End ``cycle``, of which the response is written, and begin the next one."""
        self.cycles.popleft()
        self.state.total_requests += 1
        if self.transport.is_closing():
            return
        if not cycle.keep_alive:
            if cycle.received and not self.refuses_input:
                self.close()
            else:
                self._end()
            return
        self.transport.resume_reading()
        if self.cycles:
            self._run(self.cycles[0])
            return
        self.idle_since = self.loop.time()
        if self.idle_timer is None:
            self.idle_timer = self.loop.call_later(self.idle_seconds, self._close_if_idle)

    def fail(self, cycle: RequestCycle) -> None:
        """End a response that the application left incomplete."""
        if self.lingers or self.transport.is_closing():
            return
        if cycle.started:
            self.transport.abort()
        else:
            self._refuse(500)

    def close(self) -> None:
        """Close the connection when all is written, or when the client does not read it."""
        for cycle in self.cycles:
            cycle.disconnect()
        self._stop_waiting()
        self.transport.close()
        self._await_reader()

    def shutdown(self) -> None:
        """Close the connection after the response that is in progress, as uvicorn's server asks at its end."""
        if self.lingers or not self.cycles:
            self.close()
        else:
            self.cycles[0].keep_alive = False

    def pause_writing(self) -> None:
        self.writable.clear()
        self._await_reader()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self._stop_write_deadline()
        self.writable.set()

    def _refuse_other_protocols(self, piece: bytes) -> None:
        """Refuse a request of RTSP or ICE in ``piece``, after the requests before it are parsed."""
        found = _OTHER_PROTOCOL.search(self.line + piece, 0 if self.parsed is None else 1)
        if found is not None:
            self.parser.feed_data(piece[: max(0, found.start() - len(self.line))])
            raise _Refused(400)

    def _run(self, cycle: RequestCycle) -> None:
        task = self.loop.create_task(cycle.run(self.app))
        self.state.tasks.add(task)
        task.add_done_callback(self.state.tasks.discard)

    def _read_no_more(self) -> None:
        """Read nothing more, and end the connection with the response to what was read."""
        self.refuses_input = True
        self._stop_waiting()
        self.cycles[-1].keep_alive = False

    def _invalid(self, status: int) -> None:
        """Refuse what is not HTTP, or not clear; what was complete before it is responded to."""
        self.connected.note("invalid_http")
        if self.cycles and self.cycles[-1] is self.parsed and len(self.cycles) > 1:
            self.cycles.pop()
        if self.cycles and self.cycles[-1].received:
            self._read_no_more()
        elif self.cycles and self.cycles[0].started:
            self.close()
        else:
            self._refuse(status)

    def _refuse(self, status: int) -> None:
        may_retry = status in (408, 503)
        retry = b"Retry-After: 1\r\n" if may_retry else b""
        self.transport.write(STATUS_LINES[status] + b"Connection: close\r\n" + retry + b"Content-Length: 0\r\n\r\n")
        if may_retry:  # slow clients, and those above a limit, are not waited for
            self.close()
        else:
            self._end()

    def _end(self) -> None:
        """End the connection after its last response, which a client that is still sending has yet to read.

        A closed socket resets a connection on which more arrives, and such a client may lose the response (RFC 9112,
        section 9.6). So what it sends is ignored until it ends, for ``read_seconds`` at most.
        """
        if self.input_ended:
            self.close()
            return
        for cycle in self.cycles:
            cycle.disconnect()
        self.refuses_input = self.lingers = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self._linger(self.loop.time() + self.connected.limits.read_seconds)

    def _linger(self, until: float) -> None:
        self._stop_waiting()
        if self.ignored and self.loop.time() < until:
            self.ignored = False
            self.deadline = self.loop.call_later(LINGER_SECONDS, self._linger, until)
        else:
            self.close()

    def _close_if_idle(self) -> None:
        remaining = self.idle_since + self.idle_seconds - self.loop.time()
        self.idle_timer = None
        if self.cycles or self.in_head or self.lingers or self.transport.is_closing():
            return
        if remaining > 0:
            self.idle_timer = self.loop.call_later(remaining, self._close_if_idle)
        else:
            self.close()

    def _await(self, part: str) -> None:
        self._stop_waiting()
        self.deadline = self.loop.call_later(self.connected.limits.read_seconds, self._late, part)

    def _late(self, part: str) -> None:
        if self.cycles and self.cycles[0] is not self.parsed:  # the client waits for an earlier response
            self._await(part)
            return
        self.connected.note(f"slow_{part}")
        if not self.cycles or not self.cycles[0].started:
            self._refuse(408)
        else:
            self.transport.abort()

    def _await_reader(self) -> None:
        self._stop_write_deadline()
        waiting = self._unsent()
        self.write_deadline = self.loop.call_later(self.connected.limits.write_seconds, self._unread, waiting)

    def _unread(self, waiting: int) -> None:
        if self._unsent() + PROGRESS_BYTES <= waiting:
            self._await_reader()
            return
        self.connected.note("unread_response")
        self.transport.abort()

    def _unsent(self) -> int:
        """Return the bytes of responses that the client has not read."""
        below = 0 if self.below is None else self.below.get_write_buffer_size()
        return self.transport.get_write_buffer_size() + below

    def _stop_waiting(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _stop_write_deadline(self) -> None:
        if self.write_deadline is not None:
            self.write_deadline.cancel()
            self.write_deadline = None
