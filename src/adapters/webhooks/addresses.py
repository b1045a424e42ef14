"""The addresses to which webhooks are sent: public ones only, unless private ones are allowed."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Thread

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host. It may block. Raises OSError."""

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""Addresses that a gateway translates to the IPv4 address in their last 32 bits: RFC 6052 and RFC 8215."""


class AddressRefused(Exception):
    """A host has an address to which nothing is sent. The text names no address, which would map the network."""


def is_public(address: str) -> bool:
    """Return whether ``address`` is one of the internet, and so is every IPv4 address that it stands for."""
    try:
        found = ip_address(address)
    except ValueError:  # also with a zone: it is of one link
        return False
    return all(
        each.is_global and not (each.is_multicast or each.is_reserved or each.is_unspecified)
        for each in (found, *_embedded(found))
    )


def _embedded(address: IPv4Address | IPv6Address) -> Sequence[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


async def checked_address(host: str, port: int, *, private: bool, resolve: Resolve | None = None) -> str:
    """Return an address of ``host``, after all of them were checked. Raises AddressRefused, OSError.

    A lookup may hang for as long as it likes: it has a thread of its own, which is abandoned when the caller stops
    waiting.
    """
    found = [host] if _is_address(host) else await _on_a_thread(resolve or _addresses, host, port)
    if not found:
        raise OSError("the host has no address")
    if not private and not all(map(is_public, found)):
        raise AddressRefused("the host has an address that is not public")
    return found[0]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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
