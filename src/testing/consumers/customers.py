"""The promises of every store of personal data: what is erased, and what stays."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from ...adapters.wire import decode_record
from ...application.auth import Grant
from ...application.customers.erase_customer import EraseCustomer
from ...application.customers.export_customer import ExportCustomer
from ...application.customers.ports import ErasedOrders, PersonalData
from ...application.maintenance.maintenance_log import MaintenanceKind
from ...application.notifications.notification import Contact, Notification, NotificationStatus
from ...application.orders.idempotency import IdempotencyKey
from ...application.orders.order_view import view
from ...application.sessions import Session
from ...application.streams.ports import StreamTicket
from ...domain.actor import Actor, Role
from ...domain.annotations import Annotations
from ...domain.errors import InvalidInput, OrdersOpen
from ...domain.history import fold
from ...domain.order import Order
from ...domain.payment import PaymentMethod
from ...domain.validation import Address
from ...entrypoints.http.views import render
from ...entrypoints.wiring.storage_and_consumers import personal_data
from ..order_lives import Tale
from ..orders import ADMIN, AT, commit, keep, place, unit_of_work
from .world import World

ADDRESS = Address(street="Main Street 1", city="Springfield", postal_code="12345", note="second floor")
ANNOTATIONS = Annotations.of(customer_name="Ann", customer_phone="030 123456", note="ring", metadata={"table": "1"})
CUSTOMER = Actor(Role.CUSTOMER, "C1")
DAY = timedelta(days=1)


def data_of(world: World) -> PersonalData:
    return personal_data(world.storage, world.effects)


def erasing(world: World) -> EraseCustomer:
    return EraseCustomer(data_of(world), world.storage.maintenance_log, world.clock)


async def erased(world: World, customer_id: str = "C1") -> Any:
    return await erasing(world)(customer_id, by="ann", reason="asked for it")


async def lived(world: World, order_id: str = "O1", *, final: bool = True, **changes: Any) -> Order:
    """Place an order of C1 with address and card, delivered unless not ``final``, with a response that shows it."""
    changes = {"customer_id": "C1", "address": ADDRESS, "annotations": ANNOTATIONS, **changes}
    tale = Tale(place(PaymentMethod.CREDIT_CARD, id=order_id, **changes))
    if final:
        tale = tale.paid().assigned().sent_out().delivered()
    key = IdempotencyKey(
        caller="restaurant:R1", key=order_id, fingerprint="f", render=lambda order: render(view(order, ADMIN))
    )
    await commit(world.storage, tale.change, idempotency=key)
    assert tale.order.address == ADDRESS
    return tale.order


def notification(world: World, order_id: str = "O1", recipient: str = "customer:C1", **changes: Any) -> Notification:
    given = {"address": f"{recipient}@example.org", "text": "dear customer", "recorded_at": AT, "due_at": AT}
    return world.notification(order_id=order_id, recipient=recipient, **(given | changes))


@pytest.mark.asyncio
class PersonalDataContract:
    """Subclassed with a fixture ``world``, in which nothing has happened."""

    async def test_an_erasure_leaves_order_and_events_without_address_and_card(self, world: World) -> None:
        before = await lived(world)
        other = await lived(world, "O2", customer_id="C2")

        outcome = await erased(world)

        after = await world.storage.views.get("O1")
        assert (outcome.orders, outcome.responses) == (1, 1)
        assert after == evolve(before, address=None, annotations=None, payment=evolve(before.payment, card_token=None))
        assert await world.storage.views.get("O2") == other
        history = await world.storage.log.history("O1")
        assert fold([decode_record(each) for each in history]).total == before.total

    async def test_a_stored_response_loses_the_address_only(self, world: World) -> None:
        order = await lived(world)

        await erased(world)

        kept = await world.storage.answers.find("restaurant:R1", "O1")
        assert kept.body == render(view(evolve(order, address=None, annotations=None), ADMIN))
        assert Decimal("25.50") == order.total.amount
        assert b'"totalPrice":25.50' in kept.body

    async def test_what_was_sent_to_the_customer_is_erased_and_what_was_not_is_dropped(self, world: World) -> None:
        await lived(world)
        sent = notification(world, status=NotificationStatus.SENT, sent_at=AT, detail="accepted by c1@example.org")
        pending = notification(world, sequence=2)
        others = notification(world, recipient="restaurant:R1", status=NotificationStatus.SENT)
        await world.record(sent, pending, others)

        outcome = await erased(world)
        again = await erased(world)

        blank: dict[str, Any] = {"address": "", "subject": "", "text": "", "detail": "erased"}
        kept = await world.effects.notifications.of_orders(["O1"])
        assert kept == [
            evolve(sent, **blank),
            others,
            evolve(pending, **blank, status=NotificationStatus.DROPPED),
        ]
        assert (outcome.notifications, again.notifications, again.orders) == (2, 0, 0)
        assert (await world.effects.notifications.backlog()).pending == 0

    async def test_contact_tokens_and_sessions_of_the_customer_alone_are_gone(self, world: World) -> None:
        for party in ("customer:C1", "customer:C2"):
            await world.effects.contacts.set(Contact(party=party, email=f"{party[-2:]}@example.org"))
        await world.storage.tokens.add("d1", CUSTOMER, label="ann's phone", at=AT)
        await world.storage.tokens.add("d2", Actor(Role.RESTAURANT, "C1"), label="till", at=AT)
        now = await world.storage.now()
        for digest, actor in (("s1", CUSTOMER), ("s2", Actor(Role.RESTAURANT, "C1"))):
            grant = Grant(actor, label=f"{digest} of ann")
            session = Session(grant=grant, created_at=now, expires_at=now + DAY)
            await world.storage.sessions.add(digest, session)
            await world.storage.stream_tickets.add(digest, StreamTicket(grant=grant), seconds=3600)

        await erased(world)

        for kept in (world.storage.sessions.find, world.storage.stream_tickets.take):
            assert [await kept(digest) is not None for digest in ("s1", "s2")] == [False, True]
        assert [contact.party for contact in await world.effects.contacts.list()] == ["customer:C2"]
        assert (await world.storage.tokens.find("d1"), await world.storage.tokens.find("d2") is None) == (None, False)
        assert {token.label for token in await world.storage.tokens.list()} == {"", "till"}

    async def test_who_erased_and_why_is_recorded(self, world: World) -> None:
        await lived(world)

        await erased(world)

        [entry] = await world.storage.maintenance_log.history(limit=5, kinds=[MaintenanceKind.ERASE])
        assert (entry.note.by, entry.note.reason) == ("ann", "asked for it")
        assert entry.detail == "customer C1: 1 order, 0 notifications"

    async def test_nothing_is_erased_while_an_order_is_open(self, world: World) -> None:
        await lived(world)
        await lived(world, "O2", final=False)
        await world.effects.contacts.set(Contact(party="customer:C1", email="c1@example.org"))

        with pytest.raises(OrdersOpen) as refused:
            await erased(world)

        assert refused.value.orders == 1
        assert (await world.storage.views.get("O1")).address == ADDRESS
        assert await world.effects.contacts.get("customer:C1") is not None

    async def test_a_command_that_read_the_order_before_does_not_bring_the_address_back(self, world: World) -> None:
        declined = Tale(place(PaymentMethod.CREDIT_CARD, address=ADDRESS)).declined()
        # the one final order that a command may still change
        await commit(world.storage, declined.assigned().sent_out().delivered().change)

        async with unit_of_work(world.storage)() as work:
            order = await work.orders.get("O1")
            await erased(world)
            change = order.record_payment(paid=True, by=ADMIN, at=AT + DAY)
            keep(work, change)

        after = await world.storage.views.get("O1")
        assert (after.version, after.address, after.payment.card_token) == (change.order.version, None, None)

    async def test_an_erasure_takes_many_orders_in_steps(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("sql", "memory"):
            monkeypatch.setattr(f"orderflow.adapters.{module}.customers.ERASED_AT_ONCE", 2)
        for number in range(5):
            await lived(world, f"O{number}")
            await world.record(notification(world, f"O{number}"))

        outcome = await erased(world)

        page = [await world.storage.views.get(f"O{number}") for number in range(5)]
        assert (outcome.orders, outcome.notifications, outcome.responses) == (5, 5, 5)
        assert {order.address for order in page} == {None}

    async def test_an_erasure_of_what_is_no_identifier_is_refused(self, world: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            await erased(world, "two words")

        assert refused.value.field == "userId"

    async def test_open_orders_keep_everything_for_every_caller(self, world: World) -> None:
        order = await lived(world, final=False)
        pending = notification(world)
        await world.record(pending)

        step = await data_of(world).erase_orders("C1", after="")
        forgotten = await data_of(world).forget_addresses({"O1"})

        assert (step, forgotten) == (ErasedOrders(), 0)
        assert await world.storage.views.get("O1") == order
        assert await world.effects.notifications.of_orders(["O1"]) == [pending]

    async def test_a_card_is_erased_where_there_is_no_address_and_the_other_way_round(self, world: World) -> None:
        changes = {"id": "card", "customer_id": "C1", "address": None}
        tale = Tale(place(PaymentMethod.CREDIT_CARD, **changes)).paid().assigned().sent_out().delivered()
        cash = Tale(place(PaymentMethod.CASH, id="cash", customer_id="C1", address=ADDRESS))
        for each in (tale, cash.assigned().sent_out().delivered()):
            await commit(world.storage, each.change)

        outcome = await erased(world)

        orders = [await world.storage.views.get(name) for name in ("card", "cash")]
        assert outcome.orders == 2
        assert [(order.address, order.payment.card_token) for order in orders] == [(None, None)] * 2

    async def test_a_token_that_was_revoked_keeps_the_time_of_that(self, world: World) -> None:
        await world.storage.tokens.add("d1", CUSTOMER, label="phone", at=AT)
        [token] = await world.storage.tokens.list()
        await world.storage.tokens.revoke(token.id, at=AT + DAY)

        await erased(world)

        [after] = await world.storage.tokens.list()
        assert (after.revoked_at, after.label) == (AT + DAY, "")

    async def test_what_failed_to_be_sent_is_no_failure_any_more(self, world: World) -> None:
        await lived(world)
        failed = notification(world, status=NotificationStatus.FAILED, detail="no such address")
        await world.record(failed)
        before = await world.effects.notifications.backlog()

        await erased(world)

        assert (before.failed, (await world.effects.notifications.backlog()).failed) == (1, 0)

    async def test_an_export_has_everything_that_an_erasure_takes_away(self, world: World) -> None:
        await lived(world)
        await lived(world, "O2", customer_id="C2")
        await world.effects.contacts.set(Contact(party="customer:C1", email="c1@example.org"))
        await world.storage.tokens.add("d1", CUSTOMER, label="phone", at=AT)
        await world.storage.tokens.add("d2", Actor(Role.RESTAURANT, "C1"), label="till", at=AT)
        await world.storage.tokens.add("d3", Actor(Role.CUSTOMER, "C2"), label="another phone", at=AT)
        await world.record(notification(world), notification(world, recipient="restaurant:R1"))
        export = ExportCustomer(
            world.storage.views, world.effects.notifications, world.effects.contacts, world.storage.tokens
        )

        before = await export("C1")
        await erased(world)
        await world.record(notification(world, sequence=3))
        after = await export("C1")

        assert (before.email, [token.label for token in before.tokens], before.has_card) == (
            "c1@example.org",
            ["phone"],
            ("O1",),
        )
        assert [order.address.street for order in before.orders if order.address] == ["Main Street 1"]
        assert [(sent.address, sent.text) for sent in before.notifications] == [
            ("customer:C1@example.org", "dear customer")
        ]
        assert (after.email, after.has_card, [order.address for order in after.orders]) == (None, (), [None])
