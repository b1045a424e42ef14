"""Logging in to the board: a session in a cookie, which is worth nothing to another site's page."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from orderflow.application.auth import Scope, digest_of
from orderflow.application.sessions import CachedSessions
from orderflow.entrypoints.http.board import Board
from orderflow.entrypoints.http.caller_limits import LOGINS

from tests.support.door import BOSS, CUSTOMER, RESTAURANT, Installation, an_order, placed

ORIGIN = "http://localhost"


def client_of(installation: Installation, *, base_url: str = ORIGIN, **options: Any) -> AsyncClient:
    transport: Any = ASGITransport(installation.app(features=["board"], **options), raise_app_exceptions=False)  # type: ignore[arg-type]
    return AsyncClient(transport=transport, base_url=base_url)


@pytest.fixture
async def person(installation: Installation) -> AsyncIterator[AsyncClient]:
    """A browser's client of a service in production."""
    async with client_of(installation, trust_actor_header=False) as client:
        yield client


async def log_in(client: AsyncClient, **given: str) -> str:
    """Log in; the text that the page sends with each request."""
    answer = await client.post("/board/session", json=given, headers={"Origin": ORIGIN})
    assert answer.status_code == 200, answer.text
    csrf: str = answer.json()["csrfToken"]
    return csrf


async def test_a_person_logs_in_with_a_token_and_uses_the_api_as_its_actor(
    installation: Installation, person: AsyncClient
) -> None:
    csrf = await log_in(person, token=await installation.token(CUSTOMER))

    session = (await person.get("/board/session")).json()
    placed = await person.post("/v1/orders", json=an_order(), headers={"X-CSRF-Token": csrf, "Origin": ORIGIN})

    assert (session["actor"], session["role"], session["id"]) == (CUSTOMER, "customer", "C1")
    assert session["csrfToken"] == csrf
    assert placed.status_code == 201
    assert [each["name"] for each in placed.json()["allowedActions"]] == ["cancelled"]


async def test_no_script_can_read_the_cookie_and_no_other_site_can_send_it(
    installation: Installation, person: AsyncClient
) -> None:
    answer = await person.post("/board/session", json={"token": await installation.token(BOSS)})

    flags = answer.headers["set-cookie"].split("; ")[1:]
    assert set(flags) == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("base_url", ["https://localhost", "http://orders.example.com", "http://127.example.com"])
async def test_away_from_this_machine_the_cookie_is_sent_over_tls_only(
    installation: Installation, base_url: str
) -> None:
    async with client_of(installation, base_url=base_url, trust_actor_header=False) as client:
        answer = await client.post("/board/session", json={"token": await installation.token(BOSS)})

    assert answer.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_cookie_alone_is_no_right(installation: Installation, person: AsyncClient, method: str) -> None:
    attempts = [
        {},
        {"X-CSRF-Token": "wrong"},
        {"X-CSRF-Token": "wröng"},
        {"X-CSRF-Token": "right", "Origin": "http://evil.example"},
        {"X-CSRF-Token": "right", "Origin": "null"},
        {"X-CSRF-Token": "right", "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": "right", "Sec-Fetch-Site": "same-site"},
    ]
    csrf = await log_in(person, token=await installation.token(BOSS))

    for headers in attempts:
        given = {name: (csrf if value == "right" else value).encode("latin-1") for name, value in headers.items()}
        body = an_order() if method == "POST" else None
        answer = await person.request(method, "/v1/orders", json=body, headers=given)

        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), headers


async def test_another_sites_page_cannot_log_a_browser_in_or_out(
    installation: Installation, person: AsyncClient
) -> None:
    token = await installation.token(BOSS)
    csrf = await log_in(person, token=token)
    elsewhere = {"Origin": "http://evil.example"}

    into = await person.post("/board/session", json={"token": token}, headers=elsewhere)
    out = await person.delete("/board/session", headers=elsewhere | {"X-CSRF-Token": csrf})
    without = await person.delete("/board/session")

    assert [into.status_code, out.status_code, without.status_code] == [401, 401, 401]
    assert (await person.get("/board/session")).json()["actor"] == BOSS


async def test_after_logging_out_the_cookie_is_worth_nothing_also_a_copy_of_it(
    installation: Installation, person: AsyncClient
) -> None:
    csrf = await log_in(person, token=await installation.token(BOSS))
    copied = person.cookies["orderflow-session"]

    await person.delete("/board/session", headers={"X-CSRF-Token": csrf})

    headers = {"X-CSRF-Token": csrf, "Cookie": f"orderflow-session={copied}"}
    assert (await person.get("/v1/orders", headers=headers)).status_code == 401
    assert (await person.get("/board/session", headers=headers)).json()["actor"] is None


async def test_a_new_session_ends_the_one_before(installation: Installation, person: AsyncClient) -> None:
    csrf = await log_in(person, token=await installation.token(BOSS))
    before = person.cookies["orderflow-session"]

    await log_in(person, token=await installation.token(RESTAURANT))

    headers = {"X-CSRF-Token": csrf, "Cookie": f"orderflow-session={before}"}
    assert (await person.get("/v1/orders", headers=headers)).status_code == 401


async def test_a_revoked_token_ends_its_sessions(installation: Installation, person: AsyncClient) -> None:
    token = await installation.token(BOSS)
    csrf = await log_in(person, token=token)

    await installation.storage.tokens.revoke(digest_of(token)[:12], at=await installation.storage.now())

    answer = await person.get("/v1/orders", headers={"X-CSRF-Token": csrf})
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]


async def test_a_session_has_the_scopes_of_its_token(installation: Installation, person: AsyncClient) -> None:
    csrf = await log_in(person, token=await installation.token(BOSS, scopes={Scope.READ}))

    answer = await person.post("/v1/orders", json=an_order(), headers={"X-CSRF-Token": csrf})

    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


async def test_a_session_ends_by_itself(installation: Installation) -> None:
    now = await installation.storage.now()

    async def later() -> Any:
        return now - timedelta(hours=12)

    board = Board(sessions=CachedSessions(installation.storage.sessions), now=later)
    async with client_of(installation, board=board, trust_actor_header=False) as client:
        csrf = await log_in(client, token=await installation.token(BOSS))

        assert (await client.get("/v1/orders", headers={"X-CSRF-Token": csrf})).status_code == 401


async def test_a_session_is_of_all_processes(installation: Installation, person: AsyncClient) -> None:
    csrf = await log_in(person, token=await installation.token(BOSS))

    async with client_of(installation, trust_actor_header=False) as other:
        other.cookies = person.cookies

        assert (await other.get("/v1/orders", headers={"X-CSRF-Token": csrf})).status_code == 200


@pytest.mark.parametrize("given", [{"token": "of_wrong"}, {"actor": "admin:me"}])
async def test_a_log_in_needs_a_valid_token(
    installation: Installation, person: AsyncClient, given: dict[str, str]
) -> None:
    answer = await person.post("/board/session", json=given)

    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)


@pytest.mark.parametrize("given", [{}, {"token": "of_x", "actor": "admin:me"}, {"actor": "boss:me", "token": None}])
async def test_it_is_either_a_token_or_an_actor(installation: Installation, given: dict[str, Any]) -> None:
    async with client_of(installation) as client:
        answer = await client.post("/board/session", json=given)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


async def test_in_development_mode_an_actor_is_chosen_on_this_machine_only(installation: Installation) -> None:
    async with client_of(installation) as client:
        csrf = await log_in(client, actor="shipper:S3")
        forwarded = {"X-Forwarded-For": "10.0.0.1", "X-CSRF-Token": csrf}

        assert (await client.get("/board/session")).json()["actor"] == "shipper:S3"
        assert (await client.get("/v1/orders", headers={"X-CSRF-Token": csrf})).status_code == 200
        assert (await client.get("/v1/orders", headers=forwarded)).status_code == 401
        refused = await client.post("/board/session", json={"actor": "admin:me"}, headers={"Via": "1.1 proxy"})
        assert refused.status_code == 401


async def test_a_chosen_actor_is_anonymous_once_the_service_is_in_production(installation: Installation) -> None:
    async with client_of(installation) as client:
        csrf = await log_in(client, actor="admin:me")
        async with client_of(installation, trust_actor_header=False) as production:
            production.cookies = client.cookies

            assert (await production.get("/v1/orders", headers={"X-CSRF-Token": csrf})).status_code == 401


async def test_attempts_to_log_in_are_limited(installation: Installation, person: AsyncClient) -> None:
    token = await installation.token(BOSS)
    for _ in range(LOGINS):
        await person.post("/board/session", json={"token": "of_wrong"})

    answer = await person.post("/board/session", json={"token": token})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


async def test_a_cookie_does_not_disturb_a_caller_with_a_token(installation: Installation, person: AsyncClient) -> None:
    await log_in(person, token=await installation.token(RESTAURANT))
    boss = {"Authorization": f"Bearer {await installation.token(BOSS)}"}

    person.headers.update(boss)

    assert (await placed(person)).json()["allowedActions"][-1]["name"] == "record_payment"
