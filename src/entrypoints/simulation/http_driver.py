"""Executes a day's steps over the HTTP API of a running service."""

from typing import Any

import msgspec

from ...application.orders.create_order import NewOrder
from ...domain.errors import IllegalTransition, InvalidInput, NotConfigured, Unavailable
from ...domain.lifecycle import OrderState
from .dispatch_plan import Step, StepAction

_encoder = msgspec.json.Encoder(decimal_format="number")


class HttpOrderClient:
    """Sends one request for each step. The actor is the token's, or is sent in X-Actor if there is no token."""

    def __init__(self, url: str, *, token: str | None = None, connections: int = 10) -> None:
        """Create a client of the service at ``url``.

        Raises:
            NotConfigured: if the extra ``http`` is not installed.
            InvalidInput: if ``url`` is not an HTTP URL.
        """
        try:
            import httpx
        except ModuleNotFoundError as e:
            raise NotConfigured("--url needs httpx", "pip install 'orderflow-service[http]'") from e
        if not url.startswith(("http://", "https://")):
            raise InvalidInput("url", repr(url), "http://HOST:PORT or https://HOST:PORT")
        self._httpx = httpx
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
        try:
            response = await self._client.request(method, path, content=_encoder.encode(body), headers=headers)
        except self._httpx.TransportError as e:
            raise Unavailable(str(self._client.base_url), repr(e)) from e
        answer = self._body(response)
        if response.is_success:
            return OrderState(answer["state"])
        if answer.get("code") == IllegalTransition.code:
            raise IllegalTransition(
                order_id=order.order_id or "",
                action=step.action,
                state=answer["state"],
                allowed=tuple(answer.get("allowed", ())),
                guard=answer.get("guard", ""),
                unlock=answer.get("unlock", ""),
            )
        if response.status_code >= 500:
            raise Unavailable(str(self._client.base_url), str(answer.get("detail", response.status_code)))
        raise InvalidInput(f"{method} {path}", str(answer.get("detail", answer)), "see the service's response")

    def _body(self, response: Any) -> dict[str, Any]:
        """Return the JSON object in the response. Raises Unavailable if there is none: the server is no orderflow."""
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            kind = response.headers.get("Content-Type", "no content type")
            raise Unavailable(
                str(self._client.base_url), f"the server is not orderflow: {response.status_code}, {kind}"
            )
        return body


def _request(step: Step, order: NewOrder) -> tuple[str, str, dict[str, Any]]:
    path = f"/v1/orders/{order.order_id}"
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
    return body
