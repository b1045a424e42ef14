"""The promises of every payment gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from ..application.orders.payment_attempts import AttemptKind, GatewayResponse
from ..application.orders.ports import PaymentGateway
from ..domain.errors import GatewayUnavailable
from ..domain.money import Money
from .orders import eur

AMOUNT = eur("25.50")


@pytest.mark.asyncio
class PaymentGatewayContract:
    """Subclassed with a fixture ``gateway``, and the tokens of a card that is ``approved`` and of one that is declined.

    The gateway may be one for all tests: each has keys of its own, which end in ``run`` if that is set.
    If a fixture ``gateway_that_is_down`` returns a gateway whose provider does not answer, that is tested as well.
    """

    approved: ClassVar[str] = "tok_success"
    declined: ClassVar[str] = "tok_decline"
    run: ClassVar[str] = ""
    gateway_that_is_down: Any = pytest.fixture(lambda self: None)

    def key(self, name: str) -> str:
        """Return an idempotency key; keys are those of orders in production, ``ORDER:authorize:1``."""
        return f"contract-{name}{self.run}"

    async def authorized(self, gateway: PaymentGateway, name: str, **changes: Any) -> GatewayResponse:
        """Return the response to an authorization of the approved card; ``changes`` overrides what is given."""
        given = {"order_id": self.key("order"), "card_token": self.approved, "amount": AMOUNT, **changes}
        return await gateway.authorize(key=self.key(name), **given)

    async def captured(self, gateway: PaymentGateway, name: str) -> GatewayResponse:
        """Return the response to the capture of a new authorization."""
        authorization = (await self.authorized(gateway, f"{name}:authorize")).reference
        return await gateway.capture(authorization=authorization, amount=AMOUNT, key=self.key(f"{name}:capture"))

    async def test_an_approved_card_is_authorized_captured_and_refunded(self, gateway: PaymentGateway) -> None:
        captured = await self.captured(gateway, "life")

        refunded = await gateway.refund(capture=captured.reference, amount=AMOUNT, key=self.key("life:refund"))

        assert (captured.approved, refunded.approved) == (True, True)
        assert captured.reference
        assert captured.reference.isprintable()

    async def test_a_declined_card_is_a_response_with_its_reason_and_is_declined_again_with_the_same_key(
        self, gateway: PaymentGateway
    ) -> None:
        first, again = [await self.authorized(gateway, "declined", card_token=self.declined) for _ in range(2)]

        assert (first.approved, again.approved) == (False, False)
        assert first.detail

    async def test_a_repeated_authorization_is_the_first_one(self, gateway: PaymentGateway) -> None:
        first, second = await self.authorized(gateway, "twice"), await self.authorized(gateway, "twice")

        assert (first.approved, second.reference) == (True, first.reference)

    async def test_authorizations_at_the_same_time_with_one_key_are_one(self, gateway: PaymentGateway) -> None:
        responses = await asyncio.gather(*(self.authorized(gateway, "together") for _ in range(5)))

        assert len({response.reference for response in responses}) == 1

    async def test_different_keys_are_different_payments(self, gateway: PaymentGateway) -> None:
        first, second = await self.authorized(gateway, "one"), await self.authorized(gateway, "other")

        assert first.reference != second.reference

    async def test_a_repeated_capture_takes_the_money_once(self, gateway: PaymentGateway) -> None:
        authorization = (await self.authorized(gateway, "captured twice")).reference

        responses = [
            await gateway.capture(authorization=authorization, amount=AMOUNT, key=self.key("captured twice:capture"))
            for _ in range(2)
        ]

        assert [response.approved for response in responses] == [True, True]
        assert responses[0].reference == responses[1].reference

    async def test_a_repeated_refund_gives_the_money_back_once(self, gateway: PaymentGateway) -> None:
        capture = (await self.captured(gateway, "refunded twice")).reference

        responses = [
            await gateway.refund(capture=capture, amount=AMOUNT, key=self.key("refunded twice:refund"))
            for _ in range(2)
        ]

        assert [response.approved for response in responses] == [True, True]
        assert responses[0].reference == responses[1].reference

    async def test_what_was_asked_for_is_found_by_its_key(self, gateway: PaymentGateway) -> None:
        captured = await self.captured(gateway, "found")
        refunded = await gateway.refund(capture=captured.reference, amount=AMOUNT, key=self.key("found:refund"))
        authorized = await self.authorized(gateway, "found:authorize")
        about = {"authorize": "", "capture": authorized.reference, "refund": captured.reference}

        found = [
            await gateway.find(kind=AttemptKind(kind), key=self.key(f"found:{kind}"), reference=reference)
            for kind, reference in about.items()
        ]

        assert [response is not None and response.approved for response in found] == [True, True, True]
        references = [response.reference for response in found if response is not None]
        assert references[1:] == [captured.reference, refunded.reference]

    async def test_what_was_never_asked_for_is_not_found(self, gateway: PaymentGateway) -> None:
        found = [await gateway.find(kind=AttemptKind.AUTHORIZE, key=self.key("never")) for _ in range(2)]

        assert found == [None, None], "looking for a key asks for nothing"

    async def test_a_capture_that_was_never_asked_for_is_not_found(self, gateway: PaymentGateway) -> None:
        authorization = (await self.authorized(gateway, "uncaptured")).reference

        found = await gateway.find(
            kind=AttemptKind.CAPTURE, key=self.key("uncaptured:capture"), reference=authorization
        )

        assert found is None

    async def test_a_payment_is_refunded_in_parts_and_never_beyond_its_amount(self, gateway: PaymentGateway) -> None:
        capture = (await self.captured(gateway, "in parts")).reference

        parts = [
            await gateway.refund(capture=capture, amount=eur(amount), key=self.key(f"in parts:refund:{number}"))
            for number, amount in enumerate(("5.50", "20.00", "0.01"))
        ]

        assert [part.approved for part in parts] == [True, True, False]

    async def test_an_authorization_is_voided_once_and_captured_no_more(self, gateway: PaymentGateway) -> None:
        authorization = (await self.authorized(gateway, "voided")).reference

        voids = [await gateway.void(authorization=authorization, key=self.key("voided:void")) for _ in range(2)]
        captured = await gateway.capture(authorization=authorization, amount=AMOUNT, key=self.key("voided:capture"))

        assert [void.approved for void in voids] == [True, True]
        assert not captured.approved

    async def test_what_was_captured_is_not_voided(self, gateway: PaymentGateway) -> None:
        authorization = (await self.authorized(gateway, "taken")).reference
        await gateway.capture(authorization=authorization, amount=AMOUNT, key=self.key("taken:capture"))

        void = await gateway.void(authorization=authorization, key=self.key("taken:void"))

        assert not void.approved

    async def test_the_list_has_each_payment_with_what_was_moved(self, gateway: PaymentGateway) -> None:
        since = datetime.now(UTC) - timedelta(hours=1)
        order_id = self.key("listed")
        authorized = await self.authorized(gateway, "listed:authorize", order_id=order_id)
        captured = await gateway.capture(
            authorization=authorized.reference, amount=AMOUNT, key=self.key("listed:capture")
        )
        await gateway.refund(capture=captured.reference, amount=eur("5.50"), key=self.key("listed:refund"))

        [listed] = [it async for it in gateway.payments(since=since) if it.order_id == order_id]

        assert (listed.captured, listed.refunded, listed.held) == (AMOUNT, eur("5.50"), False)

    async def test_a_part_is_captured_and_the_rest_of_the_authorization_released(self, gateway: PaymentGateway) -> None:
        authorization = (await self.authorized(gateway, "a part")).reference

        captures = [
            await gateway.capture(
                authorization=authorization, amount=eur(amount), key=self.key(f"a part:capture:{number}")
            )
            for number, amount in enumerate(("20.00", "5.50"))
        ]
        void = await gateway.void(authorization=authorization, key=self.key("a part:void"))
        refund = await gateway.refund(capture=captures[0].reference, amount=AMOUNT, key=self.key("a part:refund"))

        assert [capture.approved for capture in captures] == [True, False], "one capture for each authorization"
        assert not void.approved
        assert not refund.approved, "at most what was captured is refunded"

    async def test_no_more_is_captured_than_was_authorized(self, gateway: PaymentGateway) -> None:
        authorization = (await self.authorized(gateway, "more")).reference

        capture = await gateway.capture(
            authorization=authorization, amount=AMOUNT + eur("0.01"), key=self.key("more:capture")
        )

        assert not capture.approved

    async def test_amounts_are_in_the_units_of_their_currency(self, gateway: PaymentGateway) -> None:
        since = datetime.now(UTC) - timedelta(hours=1)
        order_id, amount = self.key("yen"), Money(Decimal(2550), "JPY")
        authorized = await self.authorized(gateway, "yen:authorize", order_id=order_id, amount=amount)
        await gateway.capture(authorization=authorized.reference, amount=amount, key=self.key("yen:capture"))

        [listed] = [it async for it in gateway.payments(since=since) if it.order_id == order_id]

        assert listed.captured == amount

    async def test_the_list_says_what_is_held_and_leaves_out_what_is_older(self, gateway: PaymentGateway) -> None:
        now = datetime.now(UTC)
        order_id = self.key("held")
        authorized = await self.authorized(gateway, "held:authorize", order_id=order_id)

        async def listed(since: datetime) -> list[bool]:
            return [it.held async for it in gateway.payments(since=since) if it.order_id == order_id]

        held = await listed(now - timedelta(hours=1))
        await gateway.void(authorization=authorized.reference, key=self.key("held:void"))

        assert (held, await listed(now - timedelta(hours=1))) == ([True], [False])
        assert await listed(now + timedelta(hours=1)) == []

    async def test_a_capture_of_no_authorization_is_declined(self, gateway: PaymentGateway) -> None:
        response = await gateway.capture(authorization="nothing", amount=AMOUNT, key=self.key("of nothing:capture"))

        assert not response.approved

    async def test_a_refund_of_no_capture_is_declined(self, gateway: PaymentGateway) -> None:
        response = await gateway.refund(capture="nothing", amount=AMOUNT, key=self.key("of nothing:refund"))

        assert not response.approved

    async def test_a_gateway_that_is_down_says_so(self, gateway_that_is_down: PaymentGateway | None) -> None:
        if gateway_that_is_down is None:
            pytest.skip("this gateway cannot be down, or its fixture gateway_that_is_down is missing")
        down, about, key = gateway_that_is_down, self.key("reference"), self.key("down")

        async def listed() -> None:
            async for _ in down.payments(since=datetime.now(UTC) - timedelta(hours=1)):
                pass

        calls: Sequence[Callable[[], Awaitable[object]]] = (
            lambda: self.authorized(down, "down"),
            lambda: down.capture(authorization=about, amount=AMOUNT, key=key),
            lambda: down.void(authorization=about, key=key),
            lambda: down.refund(capture=about, amount=AMOUNT, key=key),
            lambda: down.find(kind=AttemptKind.CAPTURE, key=key, reference=about),
            listed,
        )
        for call in calls:
            with pytest.raises(GatewayUnavailable):
                await call()
