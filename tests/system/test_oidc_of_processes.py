"""``orderflow serve`` with an OpenID provider that rotates its keys, goes down, hangs and lies."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from time import time
from typing import Any

import httpx
import pytest
from attrs import define, field
from orderflow.adapters.telemetry.metrics import catalogue

from tests.support.identity_provider import AUDIENCE, IdentityProvider, SigningKey, signed_by_public_key, unsigned
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.metrics import Samples
from tests.support.stack import Stack
from tests.support.waiting import eventually


@define
class Provider:
    """A provider on a thread of its own, so that it answers while the test waits for a process."""

    at: IdentityProvider = field(factory=IdentityProvider)
    loop: asyncio.AbstractEventLoop = field(factory=asyncio.new_event_loop)

    def call(self, work: Callable[[], Any]) -> Any:
        """Run the coroutine that ``work`` returns on the provider's thread, and return its result."""
        ended: Future[Any] = asyncio.run_coroutine_threadsafe(work(), self.loop)
        return ended.result(60)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    here = Provider()
    thread = Thread(target=here.loop.run_forever, daemon=True)
    thread.start()
    here.call(here.at.start)
    yield here
    here.call(here.at.stop)
    here.loop.call_soon_threadsafe(here.loop.stop)
    thread.join(180)
    here.loop.close()


@pytest.fixture(scope="module")
def orderflow(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Installation]:
    settings = {
        "ORDERFLOW_HTTP_DEV": "false",
        "ORDERFLOW_OIDC_ISSUER": provider.at.issuer,
        "ORDERFLOW_OIDC_AUDIENCE": AUDIENCE,
    }
    folder = tmp_path_factory.mktemp("oidc")
    stack = Stack(folder, f"sqlite:///{folder}/orderflow.db", "", "orders", settings=settings)
    with installation(stack) as here:
        here.run("db", "upgrade")
        yield here


@pytest.fixture(scope="module")
def service(orderflow: Installation) -> RunningProcess:
    """One process for all tests; each of them leaves a provider that serves its keys."""
    return orderflow.start("serve", "--no-consumers")


def asked(service: RunningProcess, token: str) -> httpx.Response:
    return httpx.get(f"{service.url}/v1/orders", headers={"Authorization": f"Bearer {token}"}, timeout=180)


def status(service: RunningProcess, token: str) -> int:
    return asked(service, token).status_code


def reads(service: RunningProcess) -> dict[str, float]:
    return dict(Samples.at(service.operations).by(catalogue.OIDC_READS, "outcome"))


def admitted(service: RunningProcess, token: str) -> None:
    eventually(lambda: status(service, token) == 200, deadline=120, every=0.2, that="the token is accepted")


@contextmanager
def harmed(provider: Provider, harm: str) -> Iterator[None]:
    """Keep the provider from serving its keys."""
    at = provider.at
    match harm:
        case "down":
            provider.call(at.stop)
        case "hangs":
            at.hangs = True
        case "huge":
            at.document = json.dumps({"keys": [key.jwk for key in at.keys]}).ljust(10_000_000).encode()
        case "endless":
            at.endless = True
        case "moved":
            at.moved = True
        case "nonsense":
            at.document = b"<html>" * 1_000
    yield
    at.hangs, at.endless, at.moved, at.document = False, False, False, None
    if harm == "down":
        provider.call(at.start)


@pytest.mark.parametrize("harm", ["down", "hangs", "huge", "endless", "moved", "nonsense"])
def test_a_provider_that_does_not_serve_its_keys_ends_no_session_and_is_reported_to_operators(
    orderflow: Installation, provider: Provider, service: RunningProcess, harm: str
) -> None:
    known = provider.at.token()
    admitted(service, known)
    provider.at.keys = [SigningKey.rsa(f"after-{harm}")]
    before = reads(service).get("failed", 0)

    with harmed(provider, harm):
        unknown = asked(service, provider.at.token())
        still = [status(service, known) for _ in range(5)]
        doctor = orderflow.stack.command_line("--json", "doctor")
        failed = reads(service)["failed"] - before
    admitted(service, provider.at.token())

    assert (unknown.status_code, bool(unknown.headers["retry-after"])) == (503, True)
    assert still == [200] * 5
    assert "identity_keys_unread" in {found["code"] for found in doctor.data["findings"]}
    assert doctor.code == 1
    assert failed >= 1
    assert status(service, known) == 401  # its key was withdrawn
    assert "Traceback" not in service.said()


def test_a_provider_that_is_down_when_the_process_starts_is_awaited(
    orderflow: Installation, provider: Provider
) -> None:
    with harmed(provider, "down"):
        service = orderflow.start("serve", "--no-consumers")
        before = status(service, provider.at.token())
        own = orderflow.run("tokens", "make", "--role", "admin", "--id", "boss")["token"]
        eventually(lambda: status(service, own) == 200, deadline=180, that="a token of orderflow's is accepted")
    admitted(service, provider.at.token())

    assert before == 503


LIES: dict[str, Callable[[IdentityProvider], str]] = {
    "another key under a known id": lambda p: p.token(SigningKey.ec(p.keys[0].id)),
    "an id of a key that is unknown": lambda p: p.token(header={"kid": "k9"}),
    "no signature": lambda p: unsigned(
        {"iss": p.issuer, "aud": AUDIENCE, "sub": "boss", "role": "admin", "exp": int(time()) + 3600}, kid=p.keys[0].id
    ),
    "the public key as a secret": lambda p: signed_by_public_key(p, p.keys[0]),
    "another issuer": lambda p: p.token(iss="https://id.example.com"),
    "another audience": lambda p: p.token(aud="another"),
    "expired": lambda p: p.token(exp=int(time()) - 60),
}


def test_tokens_that_lie_are_refused_and_end_no_other_session(provider: Provider, service: RunningProcess) -> None:
    provider.at.keys = [SigningKey.ec("known")]
    known = provider.at.token()
    admitted(service, known)

    answers = {lie: asked(service, make(provider.at)) for lie, make in LIES.items()}

    assert {lie: answer.status_code for lie, answer in answers.items()} == dict.fromkeys(LIES, 401)
    assert all('error="invalid_token"' in answer.headers["www-authenticate"] for answer in answers.values())
    assert status(service, known) == 200


def test_keys_are_rotated_while_callers_come(provider: Provider, service: RunningProcess) -> None:
    admitted(service, provider.at.token())
    before = reads(service).get("failed", 0)
    for number in range(3):
        old, new = provider.at.keys[-1], SigningKey.ec(f"n{number}")
        provider.at.keys = [old, new]
        tokens = [provider.at.token(key) for key in (old, new)]
        assert [status(service, token) for token in tokens] == [200, 200]

    assert reads(service).get("failed", 0) == before
