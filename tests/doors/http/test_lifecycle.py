"""The API shows the rules that it applies."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from httpx import AsyncClient
from orderflow.domain.lifecycle import LATE_AFTER, TRANSITIONS, OrderState

from tests.support.door import CUSTOMER, RESTAURANT, placed

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "rules.yml"
REQUESTS = {
    "preparing": ("PATCH", "state", {"state": "preparing"}),
    "assign_shipper": ("PUT", "shipper", {"shipperId": "S4"}),
    "on_the_way": ("PATCH", "state", {"state": "on_the_way"}),
    "delivered": ("PATCH", "state", {"state": "delivered"}),
    "record_payment": ("POST", "payment", {"paid": True}),
    "refund": ("POST", "refunds", {"reason": "the soup was cold", "borneBy": "restaurant"}),
    "cancelled": ("POST", "cancel", {"reason": "changed my mind"}),
}


async def test_the_states_and_transitions_are_those_of_the_domain(boss: AsyncClient) -> None:
    body = (await boss.get("/v1/lifecycle")).json()

    assert [(each["state"], each["final"]) for each in body["states"]] == [(s, s.terminal) for s in OrderState]
    assert [(each["source"], each["target"]) for each in body["transitions"]] == [
        (t.source, t.target) for t in TRANSITIONS
    ]
    assert body["transitions"][1]["by"] == {"shipper": "assigned", "admin": "any"}
    assert body["transitions"][1]["guard"] == "shipper assigned"


async def test_the_limits_of_the_states_are_those_of_the_alerts(boss: AsyncClient) -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    of_alerts = {
        rule["labels"]["state"]: int(rule["expr"])
        for rule in rules
        if rule.get("record") == "orderflow:limit:state_seconds"
    }

    states = (await boss.get("/v1/lifecycle")).json()["states"]

    assert {each["state"]: each["limitSeconds"] for each in states if each["limitSeconds"] is not None} == of_alerts
    assert {state.value: limit.total_seconds() for state, limit in LATE_AFTER.items()} == of_alerts


@pytest.mark.parametrize("actor", [RESTAURANT, CUSTOMER])
async def test_exactly_the_allowed_actions_succeed_and_the_others_say_why_not(boss: AsyncClient, actor: str) -> None:
    """Each action is tried on an order of its own, in each state."""
    for state, name in product(map(str, OrderState), REQUESTS):
        order = f"{name}-{state}"
        await placed(boss, order)
        await _bring(boss, order, state)
        as_actor = {"X-Actor": actor}
        checked = await boss.get(f"/v1/orders/{order}/actions", headers=as_actor)
        action = next(each for each in checked.json()["actions"] if each["name"] == name)
        method, path, body = REQUESTS[name]

        answer = await boss.request(method, f"/v1/orders/{order}/{path}", json=body, headers=as_actor)

        changed = answer.status_code == 200 and answer.json()["version"] > checked.json()["version"]
        assert changed is action["allowed"], (name, action, answer.text)
        if not action["allowed"]:
            assert "" not in (action["guard"], action["unlock"])


async def _bring(boss: AsyncClient, order: str, state: str) -> None:
    if state == "cancelled":
        await boss.post(f"/v1/orders/{order}/cancel", json={"reason": "out of stock"})
    if state in ("preparing", "on_the_way", "delivered"):
        await boss.put(f"/v1/orders/{order}/shipper", json={"shipperId": "S3"})
    for each in ("on_the_way", "delivered"):
        if state in (each, "delivered"):
            await boss.patch(f"/v1/orders/{order}/state", json={"state": each})


async def test_an_order_of_others_has_no_actions(boss: AsyncClient) -> None:
    await placed(boss)

    answer = await boss.get("/v1/orders/O1/actions", headers={"X-Actor": "customer:C2"})

    assert answer.status_code == 404
