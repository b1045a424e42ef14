"""The pages of the board, as the server sends them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from orderflow import Money, OrderFlow, OrderLine
from orderflow.application.sessions import CachedSessions
from orderflow.domain.actor import Actor
from orderflow.entrypoints.http import new_token
from orderflow.entrypoints.http.board import Board
from orderflow.entrypoints.http.board.pages import FILES
from orderflow.entrypoints.simulation.courier_ways import geography_of
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.paced_clock import PacedClock
from orderflow.entrypoints.simulation.watched_day import WatchedDay
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.door import Installation, an_order

PLACES = ["/", "/shop/"]


@pytest.fixture(params=PLACES)
async def base(request: pytest.FixtureRequest, installation: Installation) -> AsyncIterator[AsyncClient]:
    """The service alone, and mounted under a path of an embedding application."""
    app: Any = installation.app(features=["board"])
    served = app if request.param == "/" else Starlette(routes=[Mount("/shop", app)])
    transport = ASGITransport(served, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url=f"http://localhost{request.param}") as client:
        yield client


async def test_the_page_is_served_with_the_api_also_under_a_path(base: AsyncClient) -> None:
    page = await base.get("")
    script = await base.get("board/main.js")
    api = await base.post("v1/orders", json=an_order(orderId="o1"), headers={"X-Actor": "customer:C1"})

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert api.status_code == 201


async def test_a_session_in_a_cookie_is_for_that_path_only(base: AsyncClient) -> None:
    entered = await base.post("board/session", json={"actor": "admin:me"})
    headers = {"X-CSRF-Token": entered.json()["csrfToken"]}

    assert f"Path={base.base_url.path};" in entered.headers["set-cookie"]
    assert (await base.get("v1/orders", headers=headers)).status_code == 200


@pytest.mark.parametrize("file", sorted(file.name for file in FILES.iterdir()))
def test_no_file_names_an_absolute_path_or_another_host(file: str) -> None:
    text = (FILES / file).read_text(encoding="utf-8")

    assert 'href="/' not in text
    assert 'src="/' not in text
    others = [
        word for word in text.split() if "://" in word and "www.w3.org" not in word and "html.spec.whatwg" not in word
    ]
    assert others == []


async def test_a_browser_is_restricted_to_files_of_the_service(base: AsyncClient) -> None:
    policy = (await base.get("")).headers["content-security-policy"]

    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in (await base.get("")).text
    assert "style=" not in (await base.get("")).text


async def test_a_file_that_a_browser_has_is_not_sent_again(base: AsyncClient) -> None:
    first = await base.get("board/board.css")

    again = await base.get("board/board.css", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    changed = await base.get("board/board.css", headers={"If-None-Match": '"other"'})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.parametrize("path", ["board/index.html", "board/nothing.js", "board/..%2Fpages.py", "board/__init__.py"])
async def test_nothing_else_is_served(base: AsyncClient, path: str) -> None:
    answer = await base.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_service_may_be_without_a_board(installation: Installation) -> None:
    transport: Any = ASGITransport(installation.app(features=["board"], board=None))  # type: ignore[arg-type]
    async with AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/")).status_code == 404
        assert (await client.get("/board/session")).status_code == 404


async def test_an_embedding_application_mounts_its_flow_where_it_likes() -> None:
    async with OrderFlow.in_memory() as flow, flow.http_app() as orders:
        order = await flow.create_order(customer_id="C1", restaurant_id="R7", lines=[a_line()], currency="EUR")
        secret, digest = new_token()
        await flow.container.storage().tokens.add(digest, Actor.parse("customer:C1"), label="", at=order.created_at)
        transport: Any = ASGITransport(Starlette(routes=[Mount("/shop", orders)]))
        async with AsyncClient(transport=transport, base_url="http://localhost/shop/") as client:
            page = await client.get("")
            entered = await client.post("board/session", json={"token": secret})
            chosen = await client.post("board/session", json={"actor": "admin:me"})
            headers = {"X-CSRF-Token": entered.json()["csrfToken"]}
            listed = await client.get("v1/orders", headers=headers)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert chosen.status_code == 401
    assert [each["orderId"] for each in listed.json()["orders"]] == [order.id]


def a_line() -> OrderLine:
    price = Money(Decimal("9.50"), "EUR")
    return OrderLine(food_id="F1", food_name="Pizza", price=price, quantity=1, discount=Money.zero("EUR"))


async def test_the_day_of_a_demo_is_read_by_all_and_changed_by_admins(installation: Installation) -> None:
    day = WatchedDay(name="small", geography=geography_of(generate_day(5, 1)), clock=PacedClock(speed=60))
    board = Board(sessions=CachedSessions(installation.storage.sessions), now=installation.storage.now, day=day)
    transport = ASGITransport(installation.app(features=["board"], board=board), raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://localhost/") as client:

        async def status(method: str, path: str, actor: str, **body: Any) -> int:
            answer = await client.request(method, path, headers={"X-Actor": actor}, json=body or None)
            return answer.status_code

        assert await status("GET", "board/day/clock", "courier") == 401
        assert not day.seen.is_set()
        assert await status("GET", "board/day/clock", "shipper:c1") == 200
        assert day.seen.is_set()
        assert await status("GET", "board/day", "shipper:c1") == 403
        assert await status("GET", "board/day", "admin:a") == 200
        assert await status("PUT", "board/day/clock", "shipper:c1", speed=600, paused=False) == 403
        assert await status("PUT", "board/day/clock", "admin:a", speed=0, paused=False) == 400
        assert await status("PUT", "board/day/clock", "admin:a", speed=600, paused=True) == 200
        assert (day.clock.speed, day.clock.paused) == (600, True)
        day.end()
        assert await status("PUT", "board/day/clock", "admin:a", speed=600, paused=True) == 400
        assert (await client.get("board/session")).json()["day"] is True


async def test_without_a_demo_there_is_no_day(base: AsyncClient) -> None:
    answers = [await base.get(path, headers={"X-Actor": "admin:a"}) for path in ("board/day", "board/day/clock")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert (await base.get("board/session")).json()["day"] is False
