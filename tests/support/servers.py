"""The sources of the test servers, and what happens if one is missing."""

import fcntl
import os
import secrets
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn, Self, TypeVar

import pytest
from docker import from_env
from docker.errors import DockerException

T = TypeVar("T")


class Server(ABC):
    """A server that can be started, and closed in any state; a ``with`` block does both."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return started(self)

    def __exit__(self, *_: object) -> None:
        self.close()


S = TypeVar("S", bound=Server)


class MissingServer(Exception):
    """A real server that this machine does not have, with every place that was tried.

    ``name`` is the server, ``tried`` says for each source why it gave none, ``remedy`` is how to get one.
    """

    def __init__(self, name: str, tried: list[str], remedy: str) -> None:
        super().__init__(f"no {name} for the tests ({'; '.join(tried)}). {remedy}")
        self.name = name
        self.tried = tried
        self.remedy = remedy


def servers_required() -> bool:
    """Return whether a missing server is a failure: in CI, or by ``ORDERFLOW_TEST_REQUIRE_SERVERS=1``."""
    return any(
        os.environ.get(name, "").lower() in {"1", "true", "yes"} for name in ("CI", "ORDERFLOW_TEST_REQUIRE_SERVERS")
    )


def obtain(find: Callable[[], T]) -> T:
    """The server that ``find`` finds; without one the test fails where servers are required, else is skipped."""
    try:
        return find()
    except MissingServer as missing:
        if servers_required():
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def started(server: S) -> S:
    """The server, running; one that does not start leaves nothing behind."""
    try:
        server.start()
    except BaseException:
        server.close()
        raise
    return server


def not_ours(name: str, verb: str) -> NoReturn:
    """Skip a test that would stop a server which was only given to the tests, by name."""
    pytest.skip(f"{name} was given to the tests, which may not {verb} it")


def program(*names: str, remedy: str) -> str:
    """The path of the first of these programs that this machine has.

    :raises MissingServer: when it has none of them.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    raise MissingServer(names[0], ["it is not on the path"], remedy)


def docker_answers() -> bool:
    """Return whether a Docker engine answers."""
    try:
        client = from_env(timeout=3)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


_PORTS = range(20_000, 32_000)
"""Below those that an outgoing connection is given: one of these stays free while its server is down."""
_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port that is free now and was not returned before, here or in another process that still runs.

    Servers take seconds until they listen, and some stop for a while: the others must not be given the port meanwhile.
    """
    while True:
        port = secrets.choice(_PORTS)
        if port not in _given and _reserved(port):
            _given.add(port)
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return port


def _reserved(port: int) -> bool:
    """Lock the byte of the port, which this process then has until it ends; return whether no other process has it."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    return True


@cache
def _reservations() -> int:
    """The file of the locks of all processes of this user. Closing it anywhere in a process would end its locks."""
    return os.open(Path(tempfile.gettempdir(), f"orderflow-test-ports-{os.getuid()}"), os.O_RDWR | os.O_CREAT, 0o600)
