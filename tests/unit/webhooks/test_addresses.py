"""Webhooks go to public addresses only."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from orderflow.adapters.webhooks.addresses import AddressRefused, checked_addresses
from orderflow.application.webhooks.public_address import is_public

from tests.support.waiting import eventually_async

PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "2001:4860:4860::8888")
REFUSED = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",  # the metadata of a cloud
    "100.64.0.1",  # shared by the customers of a carrier
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",  # the metadata of a cloud
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::",  # 6to4 of 169.254.169.254
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "not an address",
    "0x7f000001",
    "2130706433",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", REFUSED)
def test_no_other_address_is(address: str) -> None:
    assert not is_public(address)


async def test_a_host_is_refused_if_any_of_its_addresses_is() -> None:
    with pytest.raises(AddressRefused) as refused:
        await checked_addresses("evil.example", 443, private=False, resolve=lambda *_: ("8.8.8.8", "10.0.0.1"))

    assert "10.0.0.1" not in str(refused.value)


async def test_private_addresses_may_be_allowed() -> None:
    assert await checked_addresses("shop.local", 80, private=True, resolve=lambda *_: ("10.0.0.1",)) == ("10.0.0.1",)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "169.254.169.254", "localhost"])
async def test_an_address_in_place_of_a_name_is_checked_too(host: str) -> None:
    with pytest.raises(AddressRefused):
        await checked_addresses(host, 443, private=False)


@pytest.mark.parametrize("host", ["0x7f.1", "017700000001", "2130706433"])
async def test_an_address_in_another_notation_is_checked_as_it_is_understood(host: str) -> None:
    with pytest.raises((AddressRefused, OSError)):
        await checked_addresses(host, 443, private=False)


async def test_an_error_of_the_lookup_is_the_callers() -> None:
    def resolve(host: str, port: int) -> tuple[str, ...]:
        raise OSError("no such host")

    with pytest.raises(OSError, match="no such host"):
        await checked_addresses("nowhere.example", 443, private=False, resolve=resolve)
    with pytest.raises(OSError, match="no address"):
        await checked_addresses("nowhere.example", 443, private=False, resolve=lambda *_: ())


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_lookups_that_hang_do_not_stop_others(release: threading.Event) -> None:
    def hang(host: str, port: int) -> tuple[str, ...]:
        release.wait()
        return ("8.8.8.8",)

    stuck = [
        asyncio.create_task(checked_addresses("slow.example", 443, private=False, resolve=hang)) for _ in range(50)
    ]
    found = await checked_addresses("quick.example", 443, private=False, resolve=lambda *_: ("8.8.8.8",))

    assert (found, sum(task.done() for task in stuck)) == (("8.8.8.8",), 0)
    release.set()
    await eventually_async(lambda: all(task.done() for task in stuck))
