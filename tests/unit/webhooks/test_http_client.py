"""One attempt to send a webhook ends soon and small, whatever the receiver does."""

import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from attrs import evolve
from orderflow.adapters.webhooks.bounded_network import MAX_READ
from orderflow.adapters.webhooks.http_client import MAX_RESPONSE, HttpWebhookClient, Limits
from orderflow.adapters.webhooks.signing import new_secret
from orderflow.application.webhooks.delivery import LONGEST_PAUSE, WebhookMessage, WebhookResponse
from orderflow.application.webhooks.endpoint import Endpoint
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.testing.clock import ManualClock
from orderflow.testing.consumers.webhook_receiver import (
    Answer,
    Exchange,
    Receiver,
    break_off,
    drip,
    flood,
    hang,
    refuse,
)
from standardwebhooks import Webhook

MESSAGE = WebhookMessage(id="0b1f", body='{"type":"order.created","dish":"crème"}'.encode())
LOOPBACK = Limits(seconds=5.0, private=True)


def endpoint(url: str) -> Endpoint:
    return Endpoint(id="e1", url=url, created_at=datetime.now(UTC))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(secret=new_secret()) as receiver:
        yield receiver


async def sent(receiver: Receiver, limits: Limits = LOOPBACK, url: str = "", **settings: object) -> WebhookResponse:
    client = HttpWebhookClient(limits, "orderflow/1", **settings)  # type: ignore[arg-type]
    try:
        return await client.post(endpoint(url or receiver.url), MESSAGE, [receiver.secret])
    finally:
        await client.close()


async def test_a_message_arrives_signed_as_the_package_verifies_it(receiver: Receiver) -> None:
    response = await sent(receiver)

    assert (response.accepted, response.code) == (True, 204)
    [got] = receiver.received
    assert got.verified
    assert got.body == MESSAGE.body
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "orderflow/1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_message_is_signed_by_each_secret(receiver: Receiver) -> None:
    old, new = new_secret(), new_secret()
    client = HttpWebhookClient(LOOPBACK, "orderflow/1")

    await client.post(endpoint(receiver.url), MESSAGE, [new, old])
    await client.close()

    [got] = receiver.received
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(got.body, dict(got.headers))


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content", "299 Fine"])
async def test_every_2xx_accepts(receiver: Receiver, status: str) -> None:
    receiver.answer = refuse(status, b"thank you" if not status.startswith("204") else b"")

    assert (await sent(receiver)).accepted


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: str) -> None:
    async with Receiver() as elsewhere:
        receiver.answer = refuse(status, location=elsewhere.url)

        response = await sent(receiver)

        assert (response.accepted, response.detail) == (False, f"{status[:3]}: redirects are not followed")
        assert elsewhere.connections == 0


@pytest.mark.parametrize("answer", [hang, break_off], ids=["hangs", "breaks off"])
async def test_a_receiver_without_an_answer_is_left(receiver: Receiver, answer: Answer) -> None:
    receiver.answer = answer

    response = await sent(receiver, evolve(LOOPBACK, seconds=0.3))

    assert (response.code, response.accepted) == (None, False)
    assert response.detail


async def test_a_response_without_end_is_cut_and_its_status_counts(receiver: Receiver) -> None:
    receiver.answer = flood
    flooded = await sent(receiver)
    receiver.answer = drip

    dripped = await sent(receiver)

    assert (flooded.accepted, flooded.code) == (True, 200)
    assert (dripped.code, dripped.accepted) == (500, False)
    assert len(dripped.detail) < MAX_RESPONSE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("99999999999999999999", 999_999_999),
        ("Fri, 17 May 2024 11:32:00 GMT", 120),
        ("Friday, 17-May-24 11:32:00 GMT", 120),
        ("Fri May 17 11:32:00 2024", 120),
        ("Fri, 17 May 2024 11:29:00 GMT", -60),
        ("Fri, 17 May 99999 11:32:00 GMT", None),
        ("Fri, 17 May 2024 11:32:00 +99999999999999", None),
        ("1.5", None),
        ("-5", None),
        ("\u00b2", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_retry_after_is_a_number_or_a_date(receiver: Receiver, text: str, seconds: int | None) -> None:
    receiver.answer = refuse("503 Busy", retry_after=text)

    response = await sent(receiver, clock=ManualClock())

    assert (response.code, response.retry_after) == (503, None if seconds is None else timedelta(seconds=seconds))
    assert timedelta() <= response.least_pause <= LONGEST_PAUSE


async def test_interim_responses_without_end_are_cut_off(receiver: Receiver) -> None:
    async def hint(exchange: Exchange) -> None:
        while True:
            exchange.writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
            await exchange.writer.drain()

    receiver.answer = hint

    response = await sent(receiver, Limits(seconds=60.0, private=True))

    assert (response.code, response.detail) == (None, f"ReadError: the answer has more than {MAX_READ} bytes")


async def test_a_receiver_is_reached_at_any_address_of_its_host(receiver: Receiver) -> None:
    url = f"http://hooks.example:{receiver.port}/"

    response = await sent(receiver, url=url, resolve=lambda *_: ["::1", "127.0.0.2", "127.0.0.1"])

    assert (response.accepted, len(receiver.received)) == (True, 1)


async def test_the_connection_to_the_address_that_was_reached_is_kept(receiver: Receiver) -> None:
    client = HttpWebhookClient(LOOPBACK, "orderflow/1", resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])
    hooks = endpoint(f"http://hooks.example:{receiver.port}/")
    await client.post(hooks, MESSAGE, [receiver.secret])

    await client.post(hooks, MESSAGE, [receiver.secret])
    await client.close()

    assert (len(receiver.received), receiver.connections) == (2, 1)


async def test_a_receiver_that_is_not_there_is_said_so(receiver: Receiver) -> None:
    await receiver.stop()

    response = await sent(receiver)

    assert (response.code, response.detail[:12]) == (None, "ConnectError")


@pytest.mark.parametrize("url", ["http://a..b/", "http://" + "x" * 64 + "/", "http://0177.0.0.1/", "http://[::1]x:80/"])
async def test_a_url_that_an_earlier_version_took_is_a_failed_attempt(receiver: Receiver, url: str) -> None:
    response = await sent(receiver, url=url)

    assert (response.code, bool(response.detail)) == (None, True)


async def test_what_is_no_http_is_a_failed_attempt(receiver: Receiver) -> None:
    async def talk(exchange: Exchange) -> None:
        exchange.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" + b"\x00" * 100_000)
        exchange.hang_up()

    receiver.answer = talk

    assert (await sent(receiver)).code is None


async def test_cookies_are_not_kept(receiver: Receiver) -> None:
    receiver.answer = refuse("200 OK", set_cookie="id=1; Path=/")
    client = HttpWebhookClient(LOOPBACK, "orderflow/1")

    for _ in range(2):
        await client.post(endpoint(receiver.url), MESSAGE, [receiver.secret])
    await client.close()

    assert ["cookie" in it.headers for it in receiver.received] == [False, False]


async def test_a_connection_carries_many_messages(receiver: Receiver) -> None:
    client = HttpWebhookClient(LOOPBACK, "orderflow/1")

    for _ in range(5):
        await client.post(endpoint(receiver.url), MESSAGE, [receiver.secret])
    await client.close()

    assert (len(receiver.received), receiver.connections) == (5, 1)


async def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        response = await sent(receiver)

        assert (response.accepted, proxy.connections) == (True, 0)


async def test_a_proxy_that_is_set_is_used(receiver: Receiver) -> None:
    async with Receiver(secret=receiver.secret) as proxy:
        limits = evolve(LOOPBACK, proxy=f"http://127.0.0.1:{proxy.port}")

        response = await sent(receiver, limits, url="http://hooks.example/orders")

        assert (response.accepted, proxy.connections, receiver.connections) == (True, 1, 0)
        assert proxy.received[0].headers["host"] == "hooks.example"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_loopback_is_not_reached_unless_it_is_allowed(receiver: Receiver, host: str) -> None:
    response = await sent(receiver, Limits(), url=f"http://{host}:{receiver.port}/")

    assert response.code is None
    assert "not public" in response.detail
    assert receiver.connections == 0


async def test_a_name_that_is_moved_after_the_check_is_not_followed(receiver: Receiver) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.9"]])
    asked: list[str] = []

    def moving(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    response = await sent(receiver, url=f"http://hooks.example:{receiver.port}/", resolve=moving)

    assert (response.accepted, asked) == (True, ["hooks.example"])
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_a_lookup_that_hangs_ends_with_the_attempt_and_is_begun_once(receiver: Receiver) -> None:
    release = threading.Event()
    lookups: list[str] = []

    def stuck(host: str, port: int) -> Sequence[str]:
        lookups.append(host)
        release.wait()
        return ["127.0.0.1"]

    client = HttpWebhookClient(evolve(LOOPBACK, seconds=0.2), "orderflow/1", resolve=stuck)
    there = endpoint(f"http://hooks.example:{receiver.port}/")

    responses = [await client.post(there, MESSAGE, [receiver.secret]) for _ in range(3)]
    release.set()
    await client.close()

    assert {it.detail for it in responses} == {"no answer within 0.2 s"}
    assert len(lookups) == 1


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


def certificate(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("name", "trusted", "problem"),
    [
        ("hooks.example", True, ""),
        ("other.example", True, "is for another host name"),
        ("127.0.0.1", True, "is for another host name"),
        ("hooks.example", False, "is not signed by a trusted authority"),
    ],
)
async def test_the_certificate_must_be_the_hosts(
    authority: trustme.CA, tmp_path: Path, name: str, trusted: bool, problem: str
) -> None:
    limits = evolve(LOOPBACK, authorities=str(tmp_path / "ca.pem") if trusted else "")
    async with Receiver(secret=new_secret(), certificate=certificate(authority, name)) as receiver:
        url = f"https://hooks.example:{receiver.port}/"

        response = await sent(receiver, limits, url=url, resolve=lambda *_: ["127.0.0.1"])

        assert problem in response.detail
        assert response.accepted is not bool(problem)
        assert len(receiver.received) == (0 if problem else 1)


async def test_a_file_of_no_authorities_is_named_with_its_setting(receiver: Receiver, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")

    with pytest.raises(InvalidInput, match=r"ORDERFLOW_WEBHOOK_CA_FILE.*missing\.pem"):
        await sent(receiver, evolve(LOOPBACK, authorities=missing), url=f"https://127.0.0.1:{receiver.port}/")


async def test_webhooks_with_a_file_of_no_authorities_do_not_begin(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    container = container_for(Settings(database_url="memory://", webhook_ca_file=str(tmp_path / "none.pem")))

    with pytest.raises(InvalidInput, match="ORDERFLOW_WEBHOOK_CA_FILE"):
        container.send_deliveries()


async def test_endpoints_at_one_address_share_no_connection(authority: trustme.CA, tmp_path: Path) -> None:
    limits = evolve(LOOPBACK, authorities=str(tmp_path / "ca.pem"))
    client = HttpWebhookClient(limits, "orderflow/1", resolve=lambda *_: ["127.0.0.1"])
    async with Receiver(secret=new_secret(), certificate=certificate(authority, "one.example")) as receiver:
        one = evolve(endpoint(f"https://one.example:{receiver.port}/"), id="e1")
        other = evolve(endpoint(f"https://other.example:{receiver.port}/"), id="e2")

        first = await client.post(one, MESSAGE, [receiver.secret])
        second = await client.post(other, MESSAGE, [receiver.secret])
        await client.close()

    assert (first.accepted, second.code) == (True, None)
    assert "another host name" in second.detail


async def test_an_endpoint_without_a_valid_secret_gets_nothing(receiver: Receiver) -> None:
    response = await HttpWebhookClient(LOOPBACK, "orderflow/1").post(endpoint(receiver.url), MESSAGE, [])

    assert (response.code, receiver.connections) == (None, 0)


async def test_a_problem_names_neither_the_url_nor_a_secret(receiver: Receiver) -> None:
    await receiver.stop()

    response = await sent(receiver, url=f"http://127.0.0.1:{receiver.port}/hooks?token=sesame")

    assert "sesame" not in response.detail
    assert receiver.secret not in response.detail
