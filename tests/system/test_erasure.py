"""A customer is erased from a running installation, and what was planted is looked for wherever anything is kept."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from attrs import frozen
from orderflow.adapters.kafka import KafkaSettings

from tests.integration.kafka.conftest import on_topic
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.kafka import KafkaBroker
from tests.support.postgres import PostgresServer
from tests.support.smtp import SmtpServer
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.system.test_seen import BEHIND

PATIENCE = 180
PLANTED = {
    "street": "Sycamore-Planted-Street",
    "city": "Plantedville",
    "postal code": "PL4NT-ED",
    "note": "planted-under-the-mat",
    "card token": "tok_planted_card",
    "name": "Plantedina",
    "phone": "+49 30 5550142",
    "order note": "planted-without-onions",
    "metadata": "planted-table-12",
    "email": "planted.person@mail.example",
    "label": "planted-phone-of-ann",
}
"""The personal data of the customer C1."""
KEPT = {"street": "Kept-Street", "email": "kept.person@mail.example"}
"""The personal data of the customer C2, who stays; so the search finds what is there."""


@frozen
class Scan:
    """Everything that the installation keeps or says, as text by place."""

    places: dict[str, str]

    def found(self, text: str) -> list[str]:
        return sorted(place for place, content in self.places.items() if text in content)


@pytest.fixture(scope="module")
def here(
    postgres: PostgresServer, kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder, topic = tmp_path_factory.mktemp("erasure"), f"orders-{uuid.uuid4().hex[:12]}"
    with SmtpServer() as smtp:
        mail = {
            "ORDERFLOW_NOTIFICATION_CHANNELS": "email",
            "ORDERFLOW_SMTP_HOST": smtp.host,
            "ORDERFLOW_SMTP_PORT": str(smtp.port),
        }
        stack = Stack(folder, postgres.create_database(), kafka.bootstrap_servers, topic, settings=mail)
        with installation(stack) as installed:
            installed.run("db", "upgrade")
            installed.run("topics", "create")
            yield installed


def test_an_erased_customer_is_nowhere_and_nothing_else_has_changed(here: Installation) -> None:
    url = here.stack.database_url
    for customer, planted in (("C1", PLANTED), ("C2", KEPT)):
        here.run("contacts", "set", f"customer:{customer}", "--email", planted["email"])
    here.run("tokens", "make", "--role", "customer", "--id", "C1", "--label", PLANTED["label"])
    token = here.run("tokens", "make", "--role", "admin", "--id", "boss")["token"]
    processes = [
        here.start("serve", "--no-consumers"),
        here.start("consume", "notifications", "analytics", "inventory"),
    ]
    with httpx.Client(base_url=processes[0].url, timeout=60, headers={"Authorization": f"Bearer {token}"}) as client:
        for customer, planted in (("C1", PLANTED), ("C2", KEPT)):
            _live(client, customer, planted)
        eventually(lambda: _settled(url), deadline=PATIENCE, every=0.3, that="all is handled and sent")
        before = _scan(here, client, processes)
        figures = _figures(client)

        erased = client.post("/v1/customers/C1/erase", json={"reason": "asked for it"})
        after = _scan(here, client, processes)

        assert erased.status_code == 200, erased.text
        assert _figures(client) == figures
    assert here.run("check")["clean"]
    assert {name: before.found(text) for name, text in PLANTED.items() if not before.found(text)} == {}
    assert {name: after.found(text) for name, text in PLANTED.items() if after.found(text)} == {}
    terms = ("plantedina", "49305550142", "305550142", "planted-table-12")
    assert {term: (bool(before.found(term)), after.found(term)) for term in terms} == dict.fromkeys(terms, (True, []))
    assert {name: after.found(text) for name, text in KEPT.items()} == {
        name: before.found(text) for name, text in KEPT.items()
    }
    assert "table contacts" in after.found(KEPT["email"])


def _live(client: httpx.Client, customer: str, planted: dict[str, str]) -> None:
    """One order that is delivered, and one that is cancelled, both with a stored response."""
    for number in (1, 2):
        order = f"{customer}-{number}"
        body = {
            "orderId": order,
            "userId": customer,
            "restaurantId": "R7",
            "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 1}],
            "paymentMethod": "card",
            "cardToken": planted.get("card token", "tok_kept"),
            "address": {
                "street": planted["street"],
                "city": planted.get("city", "Springfield"),
                "postalCode": planted.get("postal code", "1"),
                "note": planted.get("note", "none"),
            },
            "customerName": planted.get("name", "Kept-Name"),
            "customerPhone": planted.get("phone", "1"),
            "note": planted.get("order note", "none"),
            "metadata": {"table": planted.get("metadata", "none")},
        }
        steps = [client.post("/v1/orders", json=body, headers={"Idempotency-Key": order})]
        if number == 1:
            path = f"/v1/orders/{order}"
            steps += [
                client.post(f"{path}/payment", json={}),
                client.put(f"{path}/shipper", json={"shipperId": "S1"}),
                client.patch(f"{path}/state", json={"state": "on_the_way"}),
                client.patch(f"{path}/state", json={"state": "delivered"}),
            ]
        else:
            steps.append(client.post(f"/v1/orders/{order}/cancel", json={"reason": "late"}))
        assert all(step.is_success for step in steps), [step.text for step in steps]


def _figures(client: httpx.Client) -> dict[str, Any]:
    names = ("restaurants", "states", "cancellations", "deliveries")
    return {name: client.get(f"/v1/analytics/{name}").json() for name in names}


def _settled(url: str) -> bool:
    """Return whether every consumer is at the log's heads, mail was sent, and none waits."""
    pending = "SELECT 1 FROM notifications WHERE status = 'pending'"
    sent = "SELECT 1 FROM notifications WHERE status = 'sent' AND recipient LIKE 'customer:%'"
    behind, waiting, done = (asyncio.run(_rows(url, statement)) for statement in (BEHIND, pending, sent))
    return not behind and not waiting and bool(done)


def _scan(here: Installation, client: httpx.Client, processes: list[RunningProcess]) -> Scan:
    stack = here.stack
    places = asyncio.run(_tables(stack.database_url))
    topic = KafkaSettings(bootstrap_servers=stack.bootstrap_servers, topic=stack.topic)
    places["topic"] = repr(on_topic(topic))
    for log in sorted(Path(stack.folder).glob("*")):
        if log.is_file():
            places[f"file {log.name}"] = log.read_bytes().decode(errors="replace")
    metrics = [f"{process.operations}/metrics" for process in processes]
    places["metrics"] = "".join(httpx.get(each).text for each in metrics)
    places["export"] = client.get("/v1/customers/C1/export").text
    places["dead letters"] = json.dumps(here.run("dead-letters", "list"))
    return Scan(places)


async def _tables(url: str) -> dict[str, str]:
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    tables = [row["table_name"] for row in await _rows(url, names)]
    assert "orders" in tables
    found = {name: await _rows(url, f'SELECT * FROM "{name}"') for name in tables}
    return {f"table {name}": repr([tuple(row) for row in rows]) for name, rows in found.items()}


async def _rows(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
