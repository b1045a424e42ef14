"""Who calls: by token, or by a header where no token is configured."""

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient
from orderflow.entrypoints.http import new_token
from orderflow.entrypoints.http.auth import digest_of

from tests.support.door import BOSS, RESTAURANT, Installation, an_order, calling


@pytest.fixture
async def anybody(installation: Installation) -> AsyncIterator[AsyncClient]:
    async with calling(installation.app()) as client:
        del client.headers["X-Actor"]
        yield client


def test_a_token_is_recognisable_and_only_its_digest_need_be_kept() -> None:
    secret, digest = new_token()

    assert secret.startswith("of_")
    assert len(secret) >= 43
    assert digest == digest_of(secret) != secret


def test_no_two_tokens_are_alike() -> None:
    assert new_token() != new_token()


async def test_a_token_says_who_calls(installation: Installation, anybody: AsyncClient) -> None:
    secret = await installation.token(RESTAURANT)

    answer = await anybody.post("/v1/orders", json=an_order(), headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 201
    assert answer.json()["allowedActions"][0]["name"] == "preparing"


async def test_the_scheme_may_be_written_in_small_letters(installation: Installation, anybody: AsyncClient) -> None:
    secret = await installation.token(RESTAURANT)

    answer = await anybody.get("/v1/orders", headers={"Authorization": f"bearer {secret}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("authorization", ["Bearer of_unknown", "Bearer ", "Bearer", "Basic YTpi", ""])
async def test_a_token_that_is_not_known_is_nobodys(
    installation: Installation, anybody: AsyncClient, authorization: str
) -> None:
    await installation.token(RESTAURANT)

    answer = await anybody.get("/v1/orders", headers={"Authorization": authorization, "X-Actor": BOSS})

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_the_header_is_believed_no_more_once_there_is_a_token(
    installation: Installation, anybody: AsyncClient
) -> None:
    before = await anybody.get("/v1/orders", headers={"X-Actor": BOSS})
    await installation.token(RESTAURANT)

    after = await anybody.get("/v1/orders", headers={"X-Actor": BOSS})

    assert (before.status_code, after.status_code) == (200, 401)


async def test_the_header_is_never_believed_where_it_may_not_be(installation: Installation) -> None:
    async with calling(installation.app(trust_actor_header=False)) as client:
        answer = await client.get("/v1/orders")

    assert answer.status_code == 401


async def test_without_a_token_it_is_explained_how_to_say_who_one_is(anybody: AsyncClient) -> None:
    answer = await anybody.get("/v1/orders")

    assert answer.status_code == 401
    assert "X-Actor" in answer.json()["detail"]
    assert "customer:C1" in answer.json()["detail"]


@pytest.mark.parametrize("actor", ["", "me", "cook:C1", "customer:", "customer:two words"])
async def test_an_actor_that_is_none_is_nobody(anybody: AsyncClient, actor: str) -> None:
    answer = await anybody.get("/v1/orders", headers={"X-Actor": actor})

    assert answer.status_code == 401
    assert "allowed" in answer.json()["detail"]


async def test_nobody_learns_what_is_wrong_with_a_body_before_saying_who_they_are(anybody: AsyncClient) -> None:
    answer = await anybody.post("/v1/orders", json={"nonsense": 1})

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", "/docs"])
async def test_health_and_documentation_are_for_everybody(
    installation: Installation, anybody: AsyncClient, path: str
) -> None:
    await installation.token(RESTAURANT)

    answer = await anybody.get(path)

    assert answer.status_code == 200
