"""The addresses to which webhooks are sent: public ones only, unless private ones are allowed."""

import asyncio
import socket
from collections.abc import Callable, Sequence
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
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def hand_over(found: Sequence[str], error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def run() -> None:
        found: tuple[str, ...] = ()
        failure: Exception | None = None
        try:
            found = tuple(resolve(host, port))
        except (OSError, UnicodeError) as error:
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(hand_over, found, failure)

    Thread(target=run, name="webhook-lookup", daemon=True).start()
    return await answer
