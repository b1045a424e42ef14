"""Notifications about an order are shown to admins, and to each recipient its own."""

import pytest
from attrs import evolve
from httpx import AsyncClient
from orderflow.application.notifications.notification import Notification, NotificationStatus

from tests.support.door import CUSTOMER, RESTAURANT, SHIPPER, Installation, placed
from tests.unit.domain.actors import AT

pytestmark = pytest.mark.features("notifications")


@pytest.fixture
async def notified(installation: Installation, boss: AsyncClient) -> AsyncClient:
    """Yield a client. The customer was notified, and a mail to the restaurant was refused."""
    await placed(boss)
    sent = Notification(
        order_id="O1",
        sequence=1,
        recipient=CUSTOMER,
        channel="email",
        event_type="order.created",
        address="ann@example.org",
        subject="Your order",
        text="It was placed.",
        status=NotificationStatus.SENT,
        attempts=1,
        recorded_at=AT,
        due_at=AT,
        sent_at=AT,
    )
    failed = evolve(
        sent,
        recipient=RESTAURANT,
        address="r7@example.org",
        status=NotificationStatus.FAILED,
        sent_at=None,
        detail="550 no such user <r7@example.org>",
    )
    async with installation.effects.store("notifications") as work:
        await work.notifications.record([sent, failed])
    return boss


async def test_an_admin_sees_whom_what_when_and_what_failed_without_addresses(notified: AsyncClient) -> None:
    answer = await notified.get("/v1/notifications?orderId=O1")

    first, second = answer.json()["notifications"]
    assert answer.json()["orderId"] == "O1"
    assert first == {
        "sequence": 1,
        "eventType": "order.created",
        "recipient": CUSTOMER,
        "channel": "email",
        "subject": "Your order",
        "text": "It was placed.",
        "status": "sent",
        "attempts": 1,
        "recordedAt": "2024-01-01T12:00:00Z",
        "dueAt": None,
        "sentAt": "2024-01-01T12:00:00Z",
        "detail": "",
    }
    assert (second["recipient"], second["status"], second["sentAt"]) == (RESTAURANT, "failed", None)
    assert second["detail"].startswith("550 no such user")
    assert "example.org" not in answer.text


@pytest.mark.parametrize(("actor", "seen"), [(CUSTOMER, [CUSTOMER]), (RESTAURANT, [RESTAURANT])])
async def test_a_recipient_sees_what_it_was_sent_itself(notified: AsyncClient, actor: str, seen: list[str]) -> None:
    answer = await notified.get("/v1/notifications?orderId=O1", headers={"X-Actor": actor})

    assert [each["recipient"] for each in answer.json()["notifications"]] == seen


@pytest.mark.parametrize("actor", [SHIPPER, "customer:C2", "restaurant:R8"])
async def test_who_has_no_part_in_the_order_does_not_find_it(notified: AsyncClient, actor: str) -> None:
    answers = [
        await notified.get(f"/v1/notifications?orderId={order_id}", headers={"X-Actor": actor})
        for order_id in ("O1", "none")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize(("query", "named"), [("", "orderId"), ("?orderId=%00", "orderId"), ("?order=O1", "order")])
async def test_a_request_without_an_order_is_refused(notified: AsyncClient, query: str, named: str) -> None:
    answer = await notified.get(f"/v1/notifications{query}")

    assert answer.status_code == 400
    assert named in answer.text
