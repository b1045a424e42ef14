"""Up to 1,000 orders with one request, each responded to for itself, in order."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.adapters.memory.storage import MemoryCommitter
from orderflow.application.orders.write_set import WriteSet
from orderflow.domain.errors import Conflict, StorageUnavailable
from orderflow.entrypoints.http import batch
from orderflow.entrypoints.http.caller_limits import Callers
from orderflow.entrypoints.http.log_limit import LINES as LINES_ADMITTED

from tests.doors.http.test_idempotency import commits_held
from tests.doors.http.test_problems import problem
from tests.support.door import CUSTOMER, Installation, an_order, calling, placed

PATH = "/v1/orders:batch"
LINES = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
DEADLINE = 60.0


async def as_array(client: AsyncClient, orders: Iterable[Any]) -> list[dict[str, Any]]:
    answer = await client.post(PATH, json=list(orders))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    results: list[dict[str, Any]] = answer.json()
    return results


async def as_lines(client: AsyncClient, orders: Iterable[Any]) -> list[dict[str, Any]]:
    answer = await client.post(PATH, content="\n".join(map(json.dumps, orders)), headers=LINES)
    assert (answer.status_code, answer.headers["content-type"]) == (200, LINES["content-type"]), answer.text
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


Send = Callable[[AsyncClient, Iterable[Any]], Any]


@pytest.fixture(params=[as_array, as_lines])
def send(request: pytest.FixtureRequest) -> Send:
    """Each form of a batch in turn."""
    form: Send = request.param
    return form


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Commits take turns of the event loop, in which further orders come, as on a database. The sizes of the groups."""
    sizes: list[int] = []
    commit = MemoryCommitter.commit_together

    async def slow(self: MemoryCommitter, sets: Sequence[WriteSet]) -> Sequence[Conflict | None]:
        sizes.append(len(sets))
        for _ in range(100):
            await asyncio.sleep(0)
        return await commit(self, sets)

    monkeypatch.setattr(MemoryCommitter, "commit_together", slow)
    return sizes


def statuses(results: Sequence[dict[str, Any]]) -> list[int]:
    return [result["status"] for result in results]


async def test_each_order_is_created_as_by_a_request_of_its_own(boss: AsyncClient, send: Send) -> None:
    results = await send(boss, [an_order(orderId=f"O{number}", userId=f"C{number}") for number in range(30)])

    assert [result["index"] for result in results] == list(range(30))
    assert [result["order"]["orderId"] for result in results] == [f"O{number}" for number in range(30)]
    for result in results:
        shown = (await boss.get(f"/v1/orders/{result['order']['orderId']}")).json()
        assert result == {"index": result["index"], "status": 201, "order": shown}


async def test_an_order_that_is_refused_fails_alone_with_the_problem_of_its_own_request(
    installation: Installation, send: Send
) -> None:
    orders = [
        an_order(orderId="O1"),
        an_order(orderId="O2", userId="C2"),
        an_order(orderDetails=[]),
        an_order(colour="red"),
        an_order(paymentMethod=3),
        an_order(orderDetails=[{**an_order()["orderDetails"][0], "price": -1}]),
        "an order",
        an_order(orderId="O3"),
    ]
    async with calling(installation.app(), CUSTOMER) as customer:
        results = await send(customer, orders)
        alone = [await customer.post("/v1/orders", json=order) for order in orders]

    assert statuses(results) == [201, 403, 400, 400, 400, 400, 400, 201]
    for result, single in zip(results, alone, strict=True):
        if result["status"] != 201:
            assert as_single(result) == single.json()


def as_single(result: dict[str, Any]) -> dict[str, Any]:
    """Return the problem of a result as a request of its own gets it: without the order's place in the batch."""
    document: dict[str, Any] = result["problem"]
    place = str(result["index"])
    for error in document.get("errors", ()):
        assert error["pointer"].startswith(f"/{place}"), error
        error["pointer"] = error["pointer"].removeprefix(f"/{place}")
        error["allowed"] = error["allowed"].removesuffix(", idempotencyKey")
        detail = document["detail"].removeprefix(f"{place}/")
        document["detail"] = detail.replace(f"{place}: ", "the body: ", 1) if not error["pointer"] else detail
    return {**document, "instance": "/v1/orders"}


async def test_a_repeated_field_is_named_with_the_place_of_its_order(boss: AsyncClient) -> None:
    order = json.dumps(an_order())
    repeated = order.replace('"quantity": 2', '"quantity": 2, "quantity": 3')

    for body, headers in ((f"[{order}, {repeated}]", JSON), (f"{order}\n{repeated}", LINES)):
        answer = await boss.post(PATH, content=body, headers=headers)
        document = json.loads(answer.text.splitlines()[-1]) if headers is LINES else answer.json()[1]
        assert document["problem"]["errors"][0]["pointer"] == "/1/orderDetails/0/quantity"


async def test_an_id_that_comes_twice_is_one_order_and_other_content_is_refused(boss: AsyncClient, send: Send) -> None:
    results = await send(boss, [an_order(orderId="O1"), an_order(orderId="O1"), an_order(orderId="O1", userId="C2")])

    assert statuses(results) == [201, 201, 409]
    assert results[0]["order"] == results[1]["order"]
    assert results[2]["problem"]["code"] == "order_exists"
    assert len((await boss.get("/v1/orders")).json()["orders"]) == 1


async def test_a_batch_that_is_sent_again_creates_nothing_twice(boss: AsyncClient, send: Send) -> None:
    orders = [an_order(orderId="O1"), an_order(idempotencyKey="K1"), an_order(idempotencyKey="K2")]
    first = await send(boss, orders)

    again = await send(boss, orders)

    assert [result["order"] for result in again] == [result["order"] for result in first]
    assert [result.get("replayed", False) for result in again] == [False, True, True]
    assert len((await boss.get("/v1/orders")).json()["orders"]) == 3


@pytest.mark.usefixtures("groups")
async def test_a_key_that_comes_twice_is_one_order_and_another_order_is_refused(boss: AsyncClient, send: Send) -> None:
    results = await send(boss, [an_order(idempotencyKey="K"), an_order(idempotencyKey="K"), {**KEYED, "userId": "C2"}])

    assert statuses(results) == [201, 201, 422]
    assert results[1]["replayed"] is True
    assert results[2]["problem"]["code"] == "key_reused"


KEYED = an_order(idempotencyKey="K")


@pytest.mark.parametrize("key", ["", "é", 256 * "a"])
async def test_an_invalid_key_is_named_as_the_field_that_it_is(boss: AsyncClient, key: str) -> None:
    (result,) = await as_array(boss, [an_order(idempotencyKey=key)])

    assert result["problem"]["errors"][0]["pointer"] == "/0/idempotencyKey"


async def test_a_key_of_the_whole_batch_is_refused(boss: AsyncClient) -> None:
    answer = await boss.post(PATH, json=[an_order()], headers={"Idempotency-Key": "K"})

    assert problem(answer, 400, "invalid_input")["errors"][0]["header"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b"[", b"[1", b"[] []", b"\xff", 100_000 * b"[", b"[" + 1_000 * b"1," + b"1]", b"[]"],
    ids=range(10),
)
async def test_what_is_no_array_of_orders_is_refused_as_a_whole(visitor: AsyncClient, body: bytes) -> None:
    document = problem(await visitor.post(PATH, content=body, headers=JSON), 400, "invalid_input")

    assert document["errors"][0]["pointer"] == ""
    assert "1 to 1000 orders" in document["errors"][0]["allowed"]


@pytest.mark.parametrize("body", [b"", b"\n \r\n", 1_001 * b"1\n", 1_001 * b"1\r\n\n"], ids=range(4))
async def test_no_lines_and_too_many_are_refused_as_a_whole(visitor: AsyncClient, body: bytes) -> None:
    problem(await visitor.post(PATH, content=body, headers=LINES), 400, "invalid_input")


async def test_a_malformed_line_fails_alone_and_empty_lines_do_not_count(boss: AsyncClient) -> None:
    order = json.dumps(an_order()).encode()

    answer = await boss.post(PATH, content=b"\n".join([order, b"", b"{", b"\xff", order, b""]), headers=LINES)

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert statuses(results) == [201, 400, 400, 201]
    assert [result["index"] for result in results] == [0, 1, 2, 3]


async def test_a_thousand_orders_are_one_batch(installation: Installation, send: Send) -> None:
    async with calling(installation.app(limits={"requests_per_second": 10_000})) as boss:
        results = await send(boss, [an_order() for _ in range(1_000)])

    assert Counter(statuses(results)) == {201: 1_000}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({**LINES, "content-encoding": "gzip"}, 415),
        ({**LINES, "If-Match": "*"}, 400),
    ],
)
async def test_other_types_and_conditions_are_refused(
    visitor: AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await visitor.post(PATH, content=b"[]", headers=headers)

    assert answer.status_code == status
    if status == 415 and "content-encoding" not in headers:
        assert "application/json or application/x-ndjson" in answer.json()["detail"]


async def test_lines_are_for_a_batch_only(boss: AsyncClient) -> None:
    answer = await boss.post("/v1/orders", content=json.dumps(an_order()), headers=LINES)

    problem(answer, 415, "unsupported_media_type")


async def test_a_batch_may_not_be_longer_than_a_body(installation: Installation) -> None:
    async with calling(installation.app(max_body_bytes=1_000)) as boss:
        answer = await boss.post(PATH, content=2_000 * b" ", headers=LINES)

    problem(answer, 413, "body_too_large")


async def test_orders_wait_for_the_rate_of_their_caller(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "RATE_PATIENCE", DEADLINE)
    granted: list[int] = []
    count = Callers.granted

    async def noting(self: Any, scope: Any, caller: str, wanted: int) -> int:
        granted.append(await count(self, scope, caller, wanted))
        return granted[-1]

    monkeypatch.setattr(Callers, "granted", noting)
    async with calling(installation.app(limits={"requests_per_second": 10})) as boss:
        results = await as_array(boss, [an_order() for _ in range(25)])
        others = [await boss.get("/v1/orders") for _ in range(20)]

    assert Counter(statuses(results)) == {201: 25}
    assert max(granted) <= 10
    assert sum(granted[: len(granted) - len(others)]) == 25
    assert {other.status_code for other in others} <= {200, 429}


async def test_orders_above_the_rate_are_refused_for_themselves_in_the_end(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "RATE_PATIENCE", 0)
    async with calling(installation.app(limits={"requests_per_second": 10})) as boss:
        results = await as_array(boss, [an_order(orderId=f"O{number}") for number in range(300)])

    refused = [result for result in results if result["status"] == 429]
    assert refused
    assert {result["problem"]["code"] for result in refused} == {"too_many_requests"}
    assert {result["retryAfter"] for result in refused} == {1}
    assert len(await stored(installation)) == 300 - len(refused)


async def stored(installation: Installation) -> list[str]:
    async with calling(installation.app()) as boss:
        return [order["orderId"] for order in (await boss.get("/v1/orders?limit=200")).json()["orders"]]


async def test_a_caller_has_two_batches_at_once(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with commits_held(monkeypatch) as (waiting, release):
        async with calling(installation.app()) as boss, asyncio.timeout(DEADLINE):
            running = [asyncio.create_task(boss.post(PATH, json=[an_order()])) for _ in range(3)]
            await waiting.wait()
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            release.set()
            answers = await asyncio.gather(*running)
            later = await boss.post(PATH, json=[an_order()])

    assert [each.result().status_code for each in done] == [429]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
    assert later.status_code == 200


async def test_so_many_orders_of_a_batch_are_created_at_the_same_time(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, groups: list[int]
) -> None:
    monkeypatch.setattr(batch, "ORDERS_AT_ONCE", 10)
    async with calling(installation.app()) as boss:
        results = await as_array(boss, [an_order() for _ in range(100)])

    assert Counter(statuses(results)) == {201: 100}
    assert 1 < max(groups) <= 10


async def test_an_unavailable_storage_fails_the_orders_that_it_was_needed_for(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = []
    commit = MemoryCommitter.commit_together

    async def failing(self: MemoryCommitter, sets: Sequence[WriteSet]) -> Sequence[Conflict | None]:
        if any(order.id == "O2" for writes in sets for order in writes.changed):
            raise StorageUnavailable("database", "down")
        return await commit(self, sets)

    monkeypatch.setattr(MemoryCommitter, "commit_together", failing)
    async with calling(installation.app(failed=errors.append)) as boss:
        results = await as_array(boss, [an_order(orderId="O2"), an_order(orderDetails=[])])

    assert statuses(results) == [503, 400]
    assert results[0]["retryAfter"] == 5
    assert len(errors) == 1


async def test_the_faults_of_a_batch_do_not_fill_the_log(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(self: MemoryCommitter, sets: Sequence[WriteSet]) -> Sequence[Conflict | None]:
        raise RuntimeError("a fault")

    monkeypatch.setattr(MemoryCommitter, "commit_together", failing)
    async with calling(installation.app()) as boss:
        results = await as_array(boss, [an_order() for _ in range(2 * LINES_ADMITTED)])

    assert set(statuses(results)) == {500}
    assert caplog.messages.count("a request failed") == LINES_ADMITTED


async def test_no_step_of_a_large_batch_keeps_other_requests_waiting(
    boss: AsyncClient, monkeypatch: pytest.MonkeyPatch, groups: list[int]
) -> None:
    turns, at = 0, list[tuple[str, int]]()

    def noted(name: str) -> Callable[..., Any]:
        handle = getattr(batch, name)

        def noting(*arguments: Any) -> Any:
            at.append((name, turns))
            return handle(*arguments)

        return noting

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    for name in ("read_body", "render"):
        monkeypatch.setattr(batch, name, noted(name))
    line = {"foodId": "F", "foodName": "x" * 200, "price": 1, "quantity": 1}
    counting = asyncio.create_task(count_turns())
    results = await as_array(boss, [an_order(orderDetails=[line] * 100) for _ in range(30)])
    counting.cancel()

    assert Counter(statuses(results)) == {201: 30}
    assert max(groups) > 2
    assert Counter(name for name, _ in at) == {"read_body": 30, "render": 30}
    assert max(Counter(at).values()) <= 2


async def test_an_existing_order_of_another_caller_is_not_shown(installation: Installation) -> None:
    async with calling(installation.app()) as boss:
        await placed(boss, "O1", userId="C2")
    async with calling(installation.app(), CUSTOMER) as customer:
        results = await as_array(customer, [an_order(orderId="O1")])

    assert statuses(results) == [409]
    assert "order" not in results[0]
