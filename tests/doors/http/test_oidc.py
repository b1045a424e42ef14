"""Tokens of an OpenID provider on loopback, which rotates its keys, goes down, hangs and lies."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from time import time
from typing import Any

import pytest
from attrs import define
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from httpx import AsyncClient, Response
from orderflow.adapters.oidc import Claims, KeySet, OidcTokens
from orderflow.adapters.oidc.key_set import MAX_AGE_SECONDS, MAX_BYTES, MOST_WAITING
from orderflow.adapters.oidc.key_set import REFRESH_SECONDS as REFRESH
from orderflow.adapters.oidc.keys import MAX_KEYS, keys_of
from orderflow.adapters.oidc.tokens import MAX_CHARACTERS
from orderflow.domain.actor import Role

from tests.support.door import Installation, calling
from tests.support.identity_provider import AUDIENCE, IdentityProvider, SigningKey, signed_by_public_key, unsigned
from tests.support.waiting import eventually_async


@define
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@define
class House:
    """An API that accepts the provider's tokens. Time between two readings of the keys passes by hand."""

    provider: IdentityProvider
    keys: KeySet
    client: AsyncClient
    clock: Clock

    async def ask(self, token: str, path: str = "/v1/orders") -> Response:
        return await self.client.get(path, headers={"Authorization": f"Bearer {token}"})

    def later(self, seconds: float = 10.0) -> None:
        self.clock.now += seconds


@pytest.fixture
async def house(installation: Installation, features: tuple[str, ...]) -> AsyncIterator[House]:
    provider, clock = IdentityProvider(), Clock()
    await provider.start()
    keys = KeySet(provider.issuer, clock=clock, pause_seconds=0.0)
    app = installation.app(features=features, identity=OidcTokens(keys, AUDIENCE, Claims()))
    async with calling(app) as client:
        del client.headers["X-Actor"]
        yield House(provider, keys, client, clock)
    await keys.close()
    if provider._server is not None and provider._server.is_serving():
        await provider.stop()


def problem(answer: Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


@pytest.mark.features("analytics")
@pytest.mark.parametrize("kind", [SigningKey.rsa, SigningKey.ec, SigningKey.ed25519])
async def test_a_token_of_the_provider_identifies_the_caller(house: House, kind: Any) -> None:
    house.provider.keys = [kind("k1")]

    orders = await house.ask(house.provider.token())
    figures = await house.ask(house.provider.token(), "/v1/analytics/states")
    customer = await house.ask(house.provider.token(sub="C1", role="customer"), "/v1/analytics/states")

    assert (orders.status_code, figures.status_code, customer.status_code) == (200, 200, 403)


async def test_a_key_set_is_read_once_for_many_requests_at_once(house: House) -> None:
    answers = await asyncio.gather(*(house.ask(house.provider.token()) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert house.provider.requests == ["/.well-known/openid-configuration", "/keys"]


async def test_a_new_key_is_used_at_once_and_a_withdrawn_one_no_more(house: House) -> None:
    old = house.provider.token()
    assert (await house.ask(old)).status_code == 200

    house.provider.keys = [SigningKey.ec("k2")]
    house.later()
    new = await house.ask(house.provider.token())
    again = await house.ask(old)

    assert (new.status_code, again.status_code) == (200, 401)


@pytest.mark.parametrize(
    "harm", ["down", "hangs", "fails", "empty", "not JSON", "no keys", "deep", "huge", "compressed", "moved"]
)
async def test_a_provider_that_is_down_or_lies_ends_no_session(
    house: House, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = house.provider.token()
    assert (await house.ask(known)).status_code == 200
    monkeypatch.setattr("orderflow.adapters.oidc.key_set.READ_SECONDS", 0.3)
    kept, house.provider.keys = house.provider.keys, [SigningKey.ec("k2")]
    match harm:
        case "down":
            await house.provider.stop()
        case "hangs":
            house.provider.hangs = True
        case "fails":
            house.provider.status = 500
        case "huge":
            keys = json.dumps({"keys": [key.jwk for key in house.provider.keys]})
            house.provider.document = keys.ljust(MAX_BYTES + 1).encode()
        case "empty" | "not JSON" | "no keys" | "deep":
            documents = {
                "empty": b"",
                "not JSON": b"<html>",
                "no keys": b'{"keys": []}',
                "deep": b"[" * 100_000,
            }
            house.provider.document = documents[harm]
        case "compressed":
            house.provider.headers = "content-encoding: gzip\r\n"
        case "moved":
            house.provider.moved = True

    house.later()
    unknown = await house.ask(house.provider.token())
    asked = len(house.provider.requests)
    repeated = await house.ask(house.provider.token())
    still = await house.ask(known)

    assert "key set" in problem(unknown, 503)
    assert unknown.headers["retry-after"]
    assert (repeated.status_code, len(house.provider.requests)) == (503, asked)
    assert (kept[0].id, still.status_code) == ("k1", 200)


async def test_a_provider_that_answers_again_is_asked_again(house: House) -> None:
    await house.provider.stop()
    assert (await house.ask(house.provider.token())).status_code == 503

    await house.provider.start()
    house.later()

    assert (await house.ask(house.provider.token())).status_code == 200


async def test_keys_are_not_used_for_longer_than_a_day_without_the_provider(house: House) -> None:
    token = house.provider.token()
    assert (await house.ask(token)).status_code == 200
    await house.provider.stop()

    house.later(MAX_AGE_SECONDS - 1)
    before = await house.ask(token)
    house.later(2)
    after = await house.ask(token)

    assert (before.status_code, after.status_code) == (200, 503)


async def test_requests_that_wait_for_a_provider_that_hangs_are_bounded(house: House) -> None:
    house.provider.hangs = True
    waiting = [asyncio.create_task(house.keys.find("EC", f"k{number}")) for number in range(MOST_WAITING)]
    await asyncio.sleep(0)

    one_more = await house.ask(house.provider.token())
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert f"key set of {house.provider.issuer} is unavailable" in problem(one_more, 503)
    assert len(house.provider.requests) <= 1


async def test_a_token_without_the_id_of_a_key_is_verified_by_the_only_one(house: House) -> None:
    without = house.provider.token(header={"kid": ""})
    only = await house.ask(without)
    house.provider.keys = [*house.provider.keys, SigningKey.ec("k2")]
    house.later(REFRESH)
    await house.keys.read()
    several = await house.ask(without)

    assert (only.status_code, several.status_code) == (200, 401)


async def test_keys_are_read_from_a_protected_address_only(house: House) -> None:
    house.provider.keys_url = house.provider.issuer.replace("127.0.0.1", "0.0.0.0") + "/keys"

    answer = await house.ask(house.provider.token())

    assert answer.status_code == 503
    assert "/keys" not in house.provider.requests


async def test_a_discovery_document_of_another_issuer_is_refused(house: House) -> None:
    keys = KeySet(f"{house.provider.issuer}/other")

    with pytest.raises(Exception, match="another issuer"):
        await keys.find("EC", "k1")
    await keys.close()


LIES = {
    "another key under a known id": lambda p: p.token(SigningKey("k1", SigningKey.ec("x").private, "ES256")),
    "an unknown key": lambda p: p.token(SigningKey.ec("k9")),
    "another type of key under a known id": lambda p: p.token(SigningKey.rsa("k1")),
    "no signature": lambda p: unsigned(
        {"iss": p.issuer, "aud": AUDIENCE, "sub": "boss", "role": "admin", "exp": int(time()) + 3600}, kid="k1"
    ),
    "the public key as a secret": lambda p: signed_by_public_key(p, p.keys[0]),
    "expired": lambda p: p.token(exp=int(time()) - 60),
    "not valid yet": lambda p: p.token(nbf=int(time()) + 600),
    "without expiry": lambda p: p.token(exp=None),
    "with an expiry beyond all time": lambda p: p.token(exp=10**30),
    "for another audience": lambda p: p.token(aud="another"),
    "without audience": lambda p: p.token(aud=None),
    "of another issuer": lambda p: p.token(iss="https://id.example.com"),
    "without issuer": lambda p: p.token(iss=None),
    "without a role": lambda p: p.token(role=None),
    "with an unknown role": lambda p: p.token(role="king"),
    "with two roles": lambda p: p.token(role=["admin", "customer"]),
    "with a role that is no name": lambda p: p.token(role={"admin": True}),
    "without an id": lambda p: p.token(sub=None),
    "with an id that is none": lambda p: p.token(sub="two words"),
    "with a huge id": lambda p: p.token(sub="x" * 65),
    "huge": lambda p: p.token(more="x" * MAX_CHARACTERS),
    "with a header that must be understood": lambda p: p.token(header={"crit": ["exp"], "exp": 1}),
    "with an id of a key that is no text": lambda p: unsigned({}, alg="ES256", kid=7),
    "nonsense": lambda p: "a.b.c",
    "deep": lambda p: urlsafe_b64encode(b"[" * 4_000).decode().rstrip("=") + ".e30.e30",
    "changed after it was signed": lambda p: p.token()[:-4] + "AAAA",
}


async def test_a_token_that_is_not_as_it_must_be_is_refused(house: House) -> None:
    assert (await house.ask(house.provider.token())).status_code == 200

    for name, lie in LIES.items():
        house.later()
        answer = await house.ask(lie(house.provider))

        assert "the token is invalid" in problem(answer, 401), name
        assert 'error="invalid_token"' in answer.headers["www-authenticate"], name
        assert len(answer.text) < 1_000, name
        assert (await house.ask(house.provider.token())).status_code == 200, name


RSA_KEY = SigningKey.rsa("rsa")


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
async def test_a_key_verifies_the_algorithm_alone_that_its_set_names(house: House, algorithm: str) -> None:
    house.provider.keys = [RSA_KEY]
    other = SigningKey(RSA_KEY.id, RSA_KEY.private, algorithm)

    named = await house.ask(house.provider.token(RSA_KEY))
    another = await house.ask(house.provider.token(other))
    house.provider.document = json.dumps({"keys": [{**RSA_KEY.jwk, "alg": algorithm}]}).encode()
    house.later(REFRESH)
    await house.keys.read()
    later = await house.ask(house.provider.token(other))

    assert (named.status_code, another.status_code, later.status_code) == (200, 401, 200)


@pytest.mark.parametrize(
    ("jwk", "usable"),
    [
        ({}, True),
        ({"use": "enc"}, False),
        ({"alg": "RS1"}, False),
        ({"alg": "HS256"}, False),
        ({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}, False),
        ({"kid": 7}, False),
        ({"kid": "x" * 257}, False),
        ({"n": "AQAB"}, False),
        (SigningKey("k", generate_private_key(65537, 1024), "RS256").jwk, False),
    ],
)
def test_a_key_that_could_verify_nothing_safely_is_left_out(jwk: dict[str, Any], usable: bool) -> None:
    assert bool(keys_of({"keys": [{**RSA_KEY.jwk, **jwk}]})) is usable


def test_a_set_has_a_hundred_keys_at_most() -> None:
    keys = keys_of({"keys": [{**RSA_KEY.jwk, "kid": str(number)} for number in range(MAX_KEYS + 20)]})

    assert len(keys) == MAX_KEYS


async def test_a_token_that_expires_within_the_difference_of_two_clocks_is_accepted(house: House) -> None:
    answer = await house.ask(house.provider.token(exp=int(time()) - 5, nbf=int(time()) + 5))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("claims", "role", "allowed"),
    [
        ({"realm_access": {"roles": ["offline", "dispatcher"]}}, Role.ADMIN, True),
        ({"realm_access": {"roles": ["offline", "admin"]}}, Role.ADMIN, False),
        ({"realm_access": ["dispatcher"]}, Role.ADMIN, False),
        ({"realm_access.roles": "dispatcher"}, Role.ADMIN, True),
    ],
)
async def test_a_role_is_found_where_the_settings_say(
    house: House, claims: dict[str, Any], role: Role, allowed: bool
) -> None:
    mapped = Claims(role="realm_access.roles", roles={"dispatcher": role})
    tokens = OidcTokens(house.keys, AUDIENCE, mapped)
    app = Installation().app(identity=tokens)
    async with calling(app) as client:
        answer = await client.get(
            "/v1/orders", headers={"Authorization": f"Bearer {house.provider.token(role=None, **claims)}"}
        )

    assert answer.status_code == (200 if allowed else 401)


@pytest.mark.parametrize(
    ("scope", "status"), [("openid orderflow:read", 200), ("openid orderflow:write", 403), ("openid", 200)]
)
async def test_a_scope_of_orderflows_limits_the_token(house: House, scope: str, status: int) -> None:
    answer = await house.ask(house.provider.token(scope=scope))

    assert answer.status_code == status


async def test_tokens_that_orderflow_made_are_accepted_and_the_actor_header_never_is(
    house: House, installation: Installation
) -> None:
    before = await house.client.get("/v1/orders", headers={"X-Actor": "admin:boss"})
    secret = await installation.token("admin:boss")

    own = await house.ask(secret)

    assert (before.status_code, own.status_code) == (401, 200)
    assert house.provider.requests == []


async def test_keys_are_read_from_the_start_without_any_request(house: House) -> None:
    await house.keys.start()

    await eventually_async(lambda: house.provider.requests[1:] == ["/keys"], that="the keys are read")

    await house.provider.stop()
    assert (await house.ask(house.provider.token())).status_code == 200


async def test_a_provider_that_is_down_at_the_start_is_noted_and_asked_again(house: House) -> None:
    await house.provider.stop()
    noted: list[Exception] = []
    keys = KeySet(house.provider.issuer, failed=noted.append, retry_seconds=0.01, pause_seconds=0.0)
    await keys.start()
    await eventually_async(lambda: len(noted) > 1, that="two failures are noted")

    await house.provider.start()

    await eventually_async(lambda: house.provider.requests[1:] == ["/keys"], that="the keys are read")
    await keys.close()
