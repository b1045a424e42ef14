"""Operators see and change the installation over HTTP, and everything that they change has a name and a reason."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define, field
from httpx import AsyncClient
from orderflow.adapters import wire
from orderflow.application.auth import Scope
from orderflow.application.consuming.dead_letter import DeadLetter
from orderflow.application.event_log.records import Delivery
from orderflow.entrypoints.http_app import operations_of

from tests.support.door import BOSS, CUSTOMER, Installation, calling, placed

PATHS = ["status", "findings", "changes", "rollout", "dead-letters"]
PARKED = ("O1", "O2")


@define
class FailingConsumer:
    """Fails for the orders in ``failing``."""

    name: str = "analytics"
    failing: set[str] = field(factory=set)
    handled: list[tuple[str, int]] = field(factory=list)

    async def handle(self, deliveries: Any, work: Any) -> None:
        for delivery in deliveries:
            if delivery.record.order_id in self.failing:
                raise ValueError("it does not work")
            self.handled.append((delivery.record.order_id, delivery.record.sequence))

    async def settle(self) -> int:
        return 0


@pytest.fixture
def consumer() -> FailingConsumer:
    return FailingConsumer()


@pytest.fixture
async def operator(installation: Installation, consumer: FailingConsumer) -> AsyncIterator[AsyncClient]:
    """A client of an installation in which analytics has parked two orders."""
    container = installation.container()
    operations = {**operations_of(container), "redrive": lambda name: container.redrive(consumer=consumer)}
    async with calling(installation.app(features=["operations"], operations=operations)) as client:
        for order in PARKED:
            await placed(client, order)
        await client.post("/v1/orders/O2/cancel", json={"reason": "too late"})
        heads = await installation.storage.log.heads()
        async with installation.effects.store("analytics") as work:
            for record in await installation.storage.log.read(dict.fromkeys(heads, 0), limit=100):
                Delivery(record, wire.decode_record(record))
                first = record.sequence == 1
                await work.dead_letters.keep(
                    [
                        DeadLetter(
                            consumer="analytics",
                            record=record,
                            error=("ValueError" if record.order_id == "O1" else "KeyError") if first else "",
                            message="it did not work",
                            attempts=3 if first else 0,
                            first_failed_at=installation.clock(),
                            last_failed_at=installation.clock(),
                        )
                    ]
                )
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_only_admins_with_a_token_to_operate_may_look(installation: Installation, path: str) -> None:
    reader = await installation.token(BOSS, scopes={Scope.READ, Scope.WRITE})
    async with calling(installation.app(features=["operations"]), CUSTOMER) as customer:
        as_customer = await customer.get(f"/v1/operations/{path}")
        as_reader = await customer.get(f"/v1/operations/{path}", headers={"Authorization": f"Bearer {reader}"})
        as_boss = await customer.get(f"/v1/operations/{path}", headers={"X-Actor": BOSS})

    assert [as_customer.status_code, as_reader.status_code, as_boss.status_code] == [403, 403, 200]


async def test_the_status_has_lags_and_remembers_them(operator: AsyncClient) -> None:
    body = (await operator.get("/v1/operations/status")).json()

    assert body["database"] == {"kind": "memory", "version": "", "problem": ""}
    assert {each["reader"] for each in body["readers"]} >= {"notifications", "analytics", "inventory"}
    assert body["parked"] == {"analytics": 2}
    assert body["history"][-1]["events"] == {each["reader"]: each["events"] for each in body["readers"]}
    assert [each["where"] for each in body["errors"]] == ["analytics", "analytics"]


async def test_parked_orders_are_grouped_and_found_by_their_error(operator: AsyncClient) -> None:
    body = (await operator.get("/v1/operations/dead-letters?consumer=analytics&error=KeyError")).json()

    assert [(each["error"], each["orders"]) for each in body["groups"]] == [("KeyError", 1), ("ValueError", 1)]
    assert [(each["orderId"], each["sequence"], each["message"]) for each in body["orders"]] == [
        ("O2", 1, "it did not work")
    ]


@pytest.mark.parametrize("query", ["consumer=%00", "consumer=", "error=%00", "error=" + "x" * 201])
async def test_what_no_consumer_and_no_error_is_called_is_refused(operator: AsyncClient, query: str) -> None:
    answer = await operator.get(f"/v1/operations/dead-letters?{query}")

    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, query.partition("=")[0])


async def test_a_consumer_that_there_is_none_of_has_no_empty_list_of_parked_orders(operator: AsyncClient) -> None:
    mistyped = await operator.get("/v1/operations/dead-letters?consumer=analitics")
    without_any = await operator.get("/v1/operations/dead-letters?consumer=inventory")

    assert (mistyped.status_code, without_any.status_code) == (400, 200)
    assert "analytics" in mistyped.json()["errors"][0]["allowed"]


async def test_a_dry_run_lists_what_would_be_handled_and_changes_nothing(
    operator: AsyncClient, consumer: FailingConsumer
) -> None:
    answer = await operator.post("/v1/operations/dead-letters/redrive", json={"consumer": "analytics", "dryRun": True})

    assert [(each["orderId"], each["events"]) for each in answer.json()["candidates"]] == [("O1", 1), ("O2", 3)]
    assert answer.json()["events"] == 4
    assert consumer.handled == []


async def test_an_order_is_redriven_with_a_reason_that_is_recorded(
    operator: AsyncClient, consumer: FailingConsumer
) -> None:
    body = {"consumer": "analytics", "orderId": "O2", "reason": "repaired"}

    answer = await operator.post("/v1/operations/dead-letters/redrive", json=body)

    assert (answer.json()["events"], answer.json()["unparked"], answer.json()["stopped"]) == (3, True, None)
    assert consumer.handled == [("O2", 1), ("O2", 2), ("O2", 3)]
    changes = (await operator.get("/v1/operations/changes")).json()["changes"]
    assert {(each["by"], each["reason"], each["kind"]) for each in changes} == {(BOSS, "repaired", "handled")}


async def test_an_order_that_fails_again_says_how(operator: AsyncClient, consumer: FailingConsumer) -> None:
    consumer.failing.add("O1")

    answer = await operator.post(
        "/v1/operations/dead-letters/redrive", json={"consumer": "analytics", "orderId": "O1", "reason": "a try"}
    )

    assert answer.json()["unparked"] is False
    assert (answer.json()["stopped"]["error"], answer.json()["stopped"]["attempts"]) == ("ValueError", 4)


async def test_a_dropped_event_unparks_its_order(operator: AsyncClient) -> None:
    answer = await operator.post(
        "/v1/operations/dead-letters/drop",
        json={"consumer": "analytics", "orderId": "O2", "withFollowers": True, "reason": "counted by hand"},
    )

    assert answer.json() == {"sequences": [1, 2, 3], "unparked": True}
    assert (await operator.get("/v1/operations/status")).json()["parked"] == {"analytics": 1}


async def test_what_is_not_clear_changes_nothing(operator: AsyncClient) -> None:
    requests: list[tuple[str, dict[str, Any], int]] = [
        ("dead-letters/redrive", {"consumer": "analytics", "orderId": "O1"}, 400),
        ("dead-letters/redrive", {"consumer": "analytics", "orderId": "O1", "reason": " "}, 400),
        ("dead-letters/redrive", {"consumer": "analytics", "reason": "all of them"}, 400),
        ("dead-letters/redrive", {"consumer": "nobody", "orderId": "O1", "reason": "why"}, 400),
        ("dead-letters/redrive", {"consumer": "analytics", "orderId": "O9", "reason": "why"}, 404),
        ("dead-letters/redrive", {"consumer": "analytics", "orderId": "O\0", "reason": "why"}, 400),
        ("dead-letters/drop", {"consumer": "analytics", "orderId": "O\0", "reason": "why"}, 400),
        ("dead-letters/drop", {"consumer": "\0", "orderId": "O1", "reason": "why"}, 400),
        ("dead-letters/drop", {"consumer": "analytics", "orderId": "O1"}, 400),
        ("dead-letters/drop", {"consumer": "analytics", "orderId": "O9", "reason": "why"}, 404),
        ("consumers/nobody/pause", {"reason": "why"}, 400),
        ("consumers/analytics/pause", {"reason": ""}, 400),
    ]

    for path, body, status in requests:
        assert (await operator.post(f"/v1/operations/{path}", json=body)).status_code == status, (path, body)

    assert (await operator.get("/v1/operations/changes")).json()["changes"] == []


async def test_the_publishing_share_and_pauses_are_set_with_a_reason(operator: AsyncClient) -> None:
    share = await operator.put("/v1/operations/publishing", json={"percent": 10, "reason": "a first step"})
    again = await operator.put("/v1/operations/publishing", json={"percent": 10, "reason": "a first step"})
    await operator.post("/v1/operations/consumers/analytics/pause", json={"reason": "too many"})
    body = (await operator.get("/v1/operations/rollout")).json()
    await operator.post("/v1/operations/consumers/analytics/resume", json={"reason": "fewer"})
    after = (await operator.get("/v1/operations/rollout")).json()

    assert (share.json(), again.json()) == ({"changed": True}, {"changed": False})
    assert (body["percent"], body["set"]["by"]) == (10, BOSS)
    paused = {each["consumer"]: each["paused"] for each in body["consumers"]}
    assert paused["analytics"]["reason"] == "too many"
    assert all(each["paused"] is None for each in after["consumers"])


async def test_a_consumer_is_paused_however_its_name_is_spelt_in_the_path(operator: AsyncClient) -> None:
    paused = await operator.post("/v1/operations/consumers/%61nalytics/pause", json={"reason": "too many"})
    resumed = await operator.post("/v1/operations/consumers/analytic%73/resume", json={"reason": "fewer"})

    assert (paused.json(), resumed.json()) == ({"changed": True}, {"changed": True})


async def test_a_consumer_of_which_there_is_none_is_quoted_shortly(operator: AsyncClient) -> None:
    answer = await operator.post(f"/v1/operations/consumers/{'x' * 5_000}/pause", json={"reason": "too many"})

    assert answer.status_code == 400
    assert "x" * 100 not in answer.json()["detail"]


async def test_the_trace_of_an_order_is_for_admins(operator: AsyncClient) -> None:
    traced = (await operator.get("/v1/orders/O2/trace")).json()
    refused = await operator.get("/v1/orders/O2/trace", headers={"X-Actor": CUSTOMER})

    assert [each["sequence"] for each in traced["events"]] == [1, 2, 3]
    [first, behind] = [
        next(each for each in event["handled"] if each["consumer"] == "analytics") for event in traced["events"][:2]
    ]
    assert (first["state"], first["effect"]) == ("parked", "KeyError: it did not work")
    assert (behind["state"], behind["effect"]) == ("parked", "it waits behind an earlier event of the order")
    assert refused.status_code == 403
