"""Payments at Stripe: an authorization is a PaymentIntent with manual capture, whose id is the reference.

Stripe forgets an idempotency key after a day at the earliest. So what could be requested later than that is looked up
first, by the metadata that each request carries, or by the state of the PaymentIntent.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from attrs import define, field
from stripe import (
    CardError,
    HTTPXClient,
    InvalidRequestError,
    ListObject,
    PaymentIntent,
    Refund,
    StripeClient,
    StripeError,
    StripeObject,
)

from ...application.orders.payment_attempts import AttemptKind, GatewayPayment, GatewayResponse
from ...domain.currency import MINOR_UNITS
from ...domain.errors import GatewayUnavailable
from ...domain.money import EXACT, Money
from ...domain.text import shown
from .stripe_webhook import KEY, ORDER

T = TypeVar("T")
Object = TypeVar("Object", bound=StripeObject)
SECONDS, RETRIES = 8.0, 2
"""The time of one request, and how often one that failed is sent again: less than RESPONSE_SECONDS in all."""
DECIMALS: Mapping[str, int] = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Currencies that Stripe counts in other minor units than ISO 4217."""
TENS = frozenset(code for code, decimals in MINOR_UNITS.items() if decimals == 3)
"""Currencies of which Stripe takes multiples of ten minor units only."""
_APPROVED = ("requires_capture", "succeeded")
_PENDING = ("requires_action", "requires_confirmation", "processing")
_REFUND_PENDING = ("pending", "requires_action")
_STATES = frozenset({*_APPROVED, *_PENDING, *_REFUND_PENDING, "requires_payment_method", "canceled", "failed"})
"""The states of PaymentIntents and refunds that Stripe documents."""


@define(eq=False)
class StripeGateway:
    """Charges cards at Stripe. A card token is the id of a PaymentMethod: ``pm_...``."""

    client: StripeClient = field(repr=False)
    http: HTTPXClient = field(repr=False)

    @classmethod
    def at(cls, api_key: str, *, url: str = "", seconds: float = SECONDS, retries: int = RETRIES) -> "StripeGateway":
        """Return a gateway with that key, at Stripe or at another ``url``. Nothing is sent yet."""
        http = HTTPXClient(timeout=seconds)
        client = StripeClient(
            api_key,
            http_client=http,
            max_network_retries=retries,
            base_addresses={"api": url} if url else {},
        )
        return cls(client, http)

    async def close(self) -> None:
        """Close the connections."""
        await self.http.close_async()  # type: ignore[no-untyped-call]

    async def authorize(self, *, order_id: str, card_token: str, amount: Money, key: str) -> GatewayResponse:
        if (number := stripe_amount(amount)) is None:
            return GatewayResponse(False, "", "amount_not_representable")
        params: Any = {
            "amount": number,
            "currency": amount.currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "payment_method_types": ["card"],
            "payment_method": card_token,
            "metadata": {ORDER: order_id, KEY: key},
        }
        try:
            intent = await _sent(self.client.v1.payment_intents.create_async(params, {"idempotency_key": key}))
        except (CardError, InvalidRequestError) as error:
            return _declined(error)
        return _authorization(intent)

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        if (number := stripe_amount(amount)) is None:
            return GatewayResponse(False, "", "amount_not_representable")
        intents = self.client.v1.payment_intents
        try:
            intent = await _sent(
                intents.capture_async(authorization, {"amount_to_capture": number}, {"idempotency_key": key})
            )
        except (CardError, InvalidRequestError) as error:
            found = await self._intent(authorization)
            if found is None or not (found.status == "processing" or _took(found, number)):
                return _declined(error)
            intent = found
        return _captured(intent)

    async def void(self, *, authorization: str, key: str) -> GatewayResponse:
        try:
            intent = await _sent(
                self.client.v1.payment_intents.cancel_async(authorization, {}, {"idempotency_key": key})
            )
        except (CardError, InvalidRequestError) as error:
            found = await self._intent(authorization)
            if found is None or found.status != "canceled":
                return _declined(error)
            intent = found
        return GatewayResponse(_state(intent) == "canceled", intent.id, _reason(intent))

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        if (number := stripe_amount(amount)) is None:
            return GatewayResponse(False, "", "amount_not_representable")
        if (found := await self._refund(capture, key)) is not None:
            return _refunded(found)
        about = {KEY: key, ORDER: key.rpartition(":refund")[0]}
        params: Any = {"payment_intent": capture, "amount": number, "metadata": about}
        try:
            return _refunded(await _sent(self.client.v1.refunds.create_async(params, {"idempotency_key": key})))
        except (CardError, InvalidRequestError) as error:
            return _declined(error)

    async def find(self, *, kind: AttemptKind, key: str, reference: str = "") -> GatewayResponse | None:
        if kind is AttemptKind.REFUND:
            refund = await self._refund(reference, key)
            return None if refund is None else _refunded(refund)
        intent = await (self._intent(reference) if reference else self._searched(key))
        if intent is None:
            return None
        match kind:
            case AttemptKind.AUTHORIZE:
                return _authorization(intent)
            case AttemptKind.CAPTURE if intent.status in ("requires_capture", "requires_action"):
                return None
            case AttemptKind.CAPTURE:
                return _captured(intent)
            case _:
                return GatewayResponse(True, intent.id) if intent.status == "canceled" else None

    async def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100, "expand": ["data.latest_charge"]}
        async for intent in _listed(self.client.v1.payment_intents.list_async(params)):
            if _noted(intent.metadata, KEY):
                yield _payment(intent)

    async def _intent(self, reference: str) -> PaymentIntent | None:
        """Return the PaymentIntent, None if there is none of that id."""
        try:
            return await _sent(self.client.v1.payment_intents.retrieve_async(reference))
        except InvalidRequestError as error:
            _require_missing(error)
            return None

    async def _searched(self, key: str) -> PaymentIntent | None:
        """Search the PaymentIntent with that key. Stripe's search knows a new one after about a minute."""
        quoted = key.replace("\\", "\\\\").replace("'", "\\'")
        query: Any = {"query": f"metadata['{KEY}']:'{quoted}'", "limit": 1}
        try:
            found = await _sent(self.client.v1.payment_intents.search_async(query))
        except InvalidRequestError as error:
            raise _unavailable(error) from error
        return next((it for it in found.data if _noted(it.metadata, KEY) == key), None)

    async def _refund(self, reference: str, key: str) -> Refund | None:
        """Return the refund with that id, or the one of a PaymentIntent with that key."""
        refunds = self.client.v1.refunds
        try:
            if reference.startswith("re_") or reference.startswith("pyr_"):
                return await _sent(refunds.retrieve_async(reference))
            async for refund in _listed(refunds.list_async({"payment_intent": reference, "limit": 100})):
                if _noted(refund.metadata, KEY) == key:
                    return refund
        except InvalidRequestError as error:
            _require_missing(error)
        return None


def stripe_amount(money: Money) -> int | None:
    """Return the amount as Stripe counts it; None if Stripe cannot take it."""
    decimals = DECIMALS.get(money.currency, MINOR_UNITS.get(money.currency))
    if decimals is None or decimals > 3:
        return None
    number = EXACT.scaleb(money.amount, decimals)
    if number != number.to_integral_value() or (money.currency in TENS and number % 10):
        return None
    return int(number)


def money_of(number: int, currency: str) -> Money:
    """Return ``number`` of Stripe's units of a currency as money."""
    code = currency.upper()
    return Money(EXACT.scaleb(Decimal(number), -DECIMALS.get(code, MINOR_UNITS[code])), code)


def _noted(metadata: Any, name: str) -> str:
    """Return what a request has noted in the metadata under ``name``; empty if nothing."""
    return str(metadata[name]) if metadata and name in metadata else ""


async def _sent(request: Awaitable[T]) -> T:
    """Return the response to a request. Raises CardError, InvalidRequestError, and GatewayUnavailable for the rest."""
    try:
        answer = await request
    except (CardError, InvalidRequestError):
        raise
    except StripeError as error:
        raise _unavailable(error) from error
    if not isinstance(answer, StripeObject):
        raise GatewayUnavailable("stripe", f"it answered with {type(answer).__name__} and no object")
    return answer


async def _listed(request: "Awaitable[ListObject[Object]]") -> AsyncIterator[Object]:
    """Yield the objects of a list, page after page. Raises as ``_sent``."""
    page = await _sent(request)
    while True:
        for it in page.data:
            yield it
        if not page.has_more:
            return
        page = await _sent(page.next_page_async())


def _state(answer: PaymentIntent | Refund) -> str:
    """Return the state. Raises GatewayUnavailable for one that is not known: it may be any outcome."""
    if answer.status not in _STATES:
        raise GatewayUnavailable("stripe", f"{answer.id} has the status {shown(answer.status)}, which is not known")
    return answer.status


def _unavailable(error: StripeError) -> GatewayUnavailable:
    """Translate an error of which the outcome is unknown. Stripe's text may have a part of a key, and is left out."""
    status = f", status {error.http_status}" if error.http_status else ""
    return GatewayUnavailable("stripe", f"{type(error).__name__}{status}{f', {error.code}' if error.code else ''}")


def _require_missing(error: InvalidRequestError) -> None:
    """Raise GatewayUnavailable for a refusal other than that there is no such object."""
    if error.http_status != 404 and error.code != "resource_missing":  # with 400, if a parameter names the object
        raise _unavailable(error) from error


def _declined(error: CardError | InvalidRequestError) -> GatewayResponse:
    body = error.error
    intent = getattr(body, "payment_intent", None)
    reason = getattr(body, "decline_code", None) or error.code or "invalid_request"
    return GatewayResponse(False, str(intent["id"]) if intent else "", str(reason))


def _authorization(intent: PaymentIntent) -> GatewayResponse:
    action = intent.next_action
    redirect = getattr(action, "redirect_to_url", None) if action else None
    state = _state(intent)
    pending = state in _PENDING
    return GatewayResponse(
        state in _APPROVED,
        intent.id,
        _reason(intent) if state not in _APPROVED and not pending else "",
        pending=pending,
        client_secret=(intent.client_secret or "") if pending else "",
        url=(getattr(redirect, "url", None) or "") if pending else "",
    )


def _captured(intent: PaymentIntent) -> GatewayResponse:
    state = _state(intent)
    return GatewayResponse(state == "succeeded", intent.id, _reason(intent), state == "processing")


def _took(intent: PaymentIntent, number: int) -> bool:
    return intent.status == "succeeded" and intent.amount_received == number


def _reason(intent: PaymentIntent) -> str:
    failure = intent.last_payment_error
    if failure is not None and intent.status not in (*_APPROVED, "canceled"):
        return getattr(failure, "decline_code", None) or getattr(failure, "code", None) or intent.status
    return "" if intent.status in _APPROVED else str(intent.status)


def _refunded(refund: Refund) -> GatewayResponse:
    state = _state(refund)
    pending = state in _REFUND_PENDING
    failed = "" if state == "succeeded" or pending else getattr(refund, "failure_reason", None) or state
    return GatewayResponse(state == "succeeded", refund.id, str(failed), pending=pending)


def _payment(intent: PaymentIntent) -> GatewayPayment:
    charge: Any = intent.latest_charge
    refunded = 0 if charge is None or isinstance(charge, str) else charge.amount_refunded
    captured = intent.amount_received if intent.status == "succeeded" else 0
    return GatewayPayment(
        reference=intent.id,
        order_id=_noted(intent.metadata, ORDER),
        created_at=datetime.fromtimestamp(intent.created, UTC),
        captured=money_of(captured, intent.currency),
        refunded=money_of(refunded if captured else 0, intent.currency),
        held=intent.status == "requires_capture",
    )
