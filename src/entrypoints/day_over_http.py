"""A day's steps through the HTTP door of a running service."""

from typing import Any

import msgspec

from ..application.day.plan import Step, StepAction
from ..application.orders.create_order import NewOrder
from ..domain.errors import IllegalTransition, InvalidInput, NotConfigured, Unavailable
from ..domain.lifecycle import OrderState

_encoder = msgspec.json.Encoder(decimal_format="number")


class HttpDayDoor:
    """Each step is one request. Without a token the actor goes in X-Actor; with one, the service knows who asks."""

    def __init__(self, url: str, *, token: str | None = None, connections: int = 10) -> None:
        """Raises NotConfigured without the extra ``http``, InvalidInput for a URL that is none."""
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

    async def take(self, step: Step, order: NewOrder) -> OrderState:
        """Raises IllegalTransition as the service does, InvalidInput for what else it refuses, Unavailable."""
        method, path, body = _request(step, order)
        headers = {"Content-Type": "application/json"} | ({"X-Actor": str(step.actor)} if self._trusted else {})
        try:
            answer = await self._client.request(method, path, content=_encoder.encode(body), headers=headers)
        except self._httpx.TransportError as e:
            raise Unavailable(str(self._client.base_url), repr(e)) from e
        said = self._said(answer)
        if answer.is_success:
            return OrderState(said["state"])
        if said.get("code") == IllegalTransition.code:
            raise IllegalTransition(
                order_id=order.order_id or "",
                action=step.action,
                state=said["state"],
                allowed=tuple(said.get("allowed", ())),
                guard=said.get("guard", ""),
                unlock=said.get("unlock", ""),
            )
        if answer.status_code >= 500:
            raise Unavailable(str(self._client.base_url), str(said.get("detail", answer.status_code)))
        raise InvalidInput(f"{method} {path}", str(said.get("detail", said)), "see the service's answer")

    def _said(self, answer: Any) -> dict[str, Any]:
        """The JSON object of an answer. Raises Unavailable: without one it is not orderflow that answers."""
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            kind = answer.headers.get("Content-Type", "no content type")
            raise Unavailable(str(self._client.base_url), f"it is no orderflow: {answer.status_code}, {kind}")
        return said


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
