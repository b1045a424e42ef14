"""The addresses to which webhooks are sent: public ones only, unless private ones are allowed."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread

from ...application.webhooks.public_address import is_address, is_public

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host. It may block. Raises OSError."""


class AddressRefused(Exception):
    """A host has an address to which nothing is sent. The text names no address, which would map the network."""


async def checked_addresses(host: str, port: int, *, private: bool, resolve: Resolve | None = None) -> Sequence[str]:
    """Return the addresses of ``host``, after all of them were checked. Raises AddressRefused, OSError.

    A lookup may hang for as long as it likes: it has a thread of its own, which is abandoned when the caller stops
    waiting.
    """
    found = [host] if is_address(host) else await _on_a_thread(resolve or _addresses, host, port)
    if not found:
        raise OSError("the host has no address")
    if not private and not all(map(is_public, found)):
        raise AddressRefused("the host has an address that is not public")
    return found


def _addresses(host: str, port: int) -> Sequence[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


async def _on_a_thread(resolve: Resolve, host: str, port: int) -> Sequence[str]:
    answer: Future[Sequence[str]] = Future()
    answer.set_running_or_notify_cancel()  # a caller who stops waiting does not cancel it

    def run() -> None:
        try:
            answer.set_result(tuple(resolve(host, port)))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    Thread(target=run, name="webhook-lookup", daemon=True).start()
    return await asyncio.wrap_future(answer)
