"""Executes a day's steps over the HTTP API of a running service."""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import msgspec

from ...application.orders.create_order import NewOrder
from ...domain.errors import IllegalTransition, InvalidInput, NotConfigured, Unavailable
from ...domain.lifecycle import OrderState, next_states
from ...domain.text import shown
from ..secret_settings import masked_url
from ..url_checks import check_http_url
from .dispatch_plan import Step, StepAction

TOO_MANY_REQUESTS = 429
MOST_REFUSALS = 60
"""The times that a request is sent again because the caller has sent too many; each time it waits a second or more."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class HttpOrderClient:
    """Sends one request for each step. The actor is the token's, or is sent in X-Actor if there is no token.

    A request that is one too many is sent again when the service says that it may be.
    """

    def __init__(self, url: str, *, token: str | None = None, connections: int = 10) -> None:
        """Create a client of the service at ``url``.

        Raises:
            NotConfigured: if the extra ``http`` is not installed.
            InvalidInput: if ``url`` is not an HTTP URL, or ``token`` is none that a header can carry.
        """
        try:
            import httpx
        except ModuleNotFoundError as e:
            raise NotConfigured("--url needs httpx", "pip install 'orderflow-service[http]'") from e
        self._httpx, self._name = httpx, masked_url(url)
        allowed = "http://HOST:PORT or https://HOST:PORT"
        try:
            check_http_url(url or "without a host")
        except ValueError as e:
            raise InvalidInput("url", f"{shown(self._name)} is {e}", allowed) from e
        if token is not None and not re.match(r"[!-~]+\Z", token):
            raise InvalidInput(
                "token", "it is empty, or has characters that no token has", "printable ASCII, no spaces"
            )
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=30)
        self._trusted = token is None

    async def close(self) -> None:
        await self._client.aclose()

    async def execute(self, step: Step, order: NewOrder) -> OrderState:
        """Send the request for ``step``.

        Raises:
            IllegalTransition: if the order's state does not allow the step.
            InvalidInput: if the service refuses the request for any other reason.
            Unavailable: if the service cannot be reached, fails, or is not orderflow.
        """
        method, path, body = _request(step, order)
        headers = {"Content-Type": "application/json"} | ({"X-Actor": str(step.actor)} if self._trusted else {})
        content = _encoder.encode(body)
        response = await self._respond(method, path, content, headers)
        for _ in range(MOST_REFUSALS):
            if response.status_code != TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(_seconds(response.headers.get("Retry-After", "")))
            response = await self._respond(method, path, content, headers)
        answer = self._body(response)
        if response.is_success:
            return self._state(answer)
        if answer.get("code") == IllegalTransition.code:
            raise IllegalTransition(
                order_id=order.order_id or "",
                action=step.action,
                state=self._state(answer),
                allowed=next_states(self._state(answer)),
                guard=str(answer.get("guard", "")),
                unlock=str(answer.get("unlock", "")),
            )
        if response.status_code >= 500:
            raise Unavailable(self._name, str(answer.get("detail", response.status_code)))
        raise InvalidInput(f"{method} {path}", str(answer.get("detail", answer)), "see the service's response")

    async def _respond(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Any:
        """Return the response. Raises Unavailable if there is none."""
        try:
            return await self._client.request(method, path, content=content, headers=headers)
        except self._httpx.RequestError as e:
            raise Unavailable(self._name, repr(e)) from e

    def _state(self, answer: dict[str, Any]) -> OrderState:
        """Return the order's state in the answer. Raises Unavailable if there is none: the server is no orderflow."""
        try:
            return OrderState(str(answer.get("state")))
        except ValueError as e:
            raise Unavailable(self._name, "the server is not orderflow: its answer has no state of an order") from e

    def _body(self, response: Any) -> dict[str, Any]:
        """Return the JSON object in the response. Raises Unavailable if there is none: the server is no orderflow."""
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            kind = response.headers.get("Content-Type", "no content type")
            raise Unavailable(self._name, f"the server is not orderflow: {response.status_code}, {kind}")
        return body


def _seconds(retry_after: str) -> float:
    """Return the seconds that the header asks to wait; 1 if it gives none, at most 10."""
    return min(10.0, float(retry_after)) if retry_after.isascii() and retry_after.isdigit() else 1.0


def _request(step: Step, order: NewOrder) -> tuple[str, str, dict[str, Any]]:
    path = f"/v1/orders/{quote(order.order_id or '', safe='')}"
    match step.action:
        case StepAction.PLACE:
            return "POST", "/v1/orders", _placed(order)
        case StepAction.PAY:
            return "POST", f"{path}/payment", {}
        case StepAction.ASSIGN:
            return "PUT", f"{path}/shipper", {"shipperId": step.shipper_id}
        case StepAction.CANCEL:
            return "POST", f"{path}/cancel", {"reason": step.reason}
        case StepAction.PREPARE:
            return "PATCH", f"{path}/state", {"state": OrderState.PREPARING}
        case StepAction.SEND_OUT:
            return "PATCH", f"{path}/state", {"state": OrderState.ON_THE_WAY}
        case StepAction.DELIVER:
            return "PATCH", f"{path}/state", {"state": OrderState.DELIVERED}


def _placed(order: NewOrder) -> dict[str, Any]:
    body: dict[str, Any] = {
        "orderId": order.order_id,
        "userId": order.customer_id,
        "restaurantId": order.restaurant_id,
        "orderDetails": [
            {
                "foodId": line.food_id,
                "foodName": line.food_name,
                "price": line.price.amount,
                "quantity": line.quantity,
                "discount": line.discount.amount,
            }
            for line in order.lines
        ],
        "currency": order.currency,
        "paymentMethod": order.payment_method,
    }
    if order.total is not None:
        body["totalPrice"] = order.total.amount
    if order.card_token is not None:
        body["cardToken"] = order.card_token
    if order.address is not None:
        body["address"] = {"street": order.address.street, "city": order.address.city}
    if order.annotations is not None:
        body["customerName"] = order.annotations.customer_name
        body["customerPhone"] = order.annotations.customer_phone
    return body
