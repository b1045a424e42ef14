"""A small Stripe on loopback that remembers, for what stripe-mock cannot show: its answers are Stripe's, by card.

It keeps idempotency keys, the states of PaymentIntents, refunds, search and lists, and can lose or fail an answer.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import define, field

OK, DECLINED, THREE_D_SECURE = "pm_card_visa", "pm_card_chargeDeclined", "pm_card_threeDSecureRequired"
REFUND_PENDING, REFUND_FAIL = "pm_card_pendingRefund", "pm_card_refundFail"
PROCESSING = "pm_processing"
"""A card whose capture is processing until the test says that it has succeeded."""
Answer = tuple[int, dict[str, Any]]


@define(eq=False)
class StripeServer:
    """``requests`` are all that came: method, path, idempotency key. ``trouble`` may answer, or lose, instead of it."""

    requests: list[tuple[str, str, str]] = field(factory=list)
    trouble: Callable[[str, str], int | None] = field(default=lambda method, path: None)
    """The status to fail with, before the request is done; -1 to do it and answer with status 500; None for neither."""
    intents: dict[str, dict[str, Any]] = field(factory=dict)
    refunds: dict[str, dict[str, Any]] = field(factory=dict)
    _answers: dict[str, Answer] = field(factory=dict)
    _numbers: Any = field(factory=lambda: count(1))
    _lock: threading.Lock = field(factory=threading.Lock)
    _server: ThreadingHTTPServer = field(init=False)

    def __attrs_post_init__(self) -> None:
        stripe = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._respond("GET")

            def do_POST(self) -> None:
                self._respond("POST")

            def _respond(self, method: str) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                params = dict(parse_qsl(url.query if method == "GET" else body))
                status, answer = stripe.answer(method, url.path, params, self.headers.get("idempotency-key") or "")
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                if status >= 500:
                    self.send_header("stripe-should-retry", "false")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def confirm(self, intent: str, *, ok: bool = True) -> None:
        """The customer confirms the payment, or fails to."""
        status = "requires_capture" if ok else "requires_payment_method"
        error = None if ok else {"code": "payment_intent_authentication_failure", "type": "card_error"}
        self.intents[intent] |= {"status": status, "next_action": None, "last_payment_error": error}

    def answer(self, method: str, path: str, params: dict[str, str], key: str) -> Answer:
        with self._lock:
            self.requests.append((method, path, key))
            trouble = self.trouble(method, path)
            if trouble is not None and trouble > 0:
                return trouble, {"error": {"type": "api_error", "message": "sk_test_leaked"}}
            if method == "POST" and key in self._answers:
                done = self._answers[key]
            else:
                done = self._route(method, path.removeprefix("/v1/"), params)
                if method == "POST" and key:
                    self._answers[key] = json.loads(json.dumps(done))
            return (500, {"error": {"type": "api_error", "message": "lost"}}) if trouble == -1 else done

    def _route(self, method: str, path: str, params: dict[str, str]) -> Answer:
        match method, path.split("/"):
            case "POST", ["payment_intents"]:
                return self._create(params)
            case "GET", ["payment_intents"]:
                since = int(params["created[gte]"])
                return 200, _list([self._shown(it) for it in self.intents.values() if it["created"] >= since])
            case "GET", ["payment_intents", "search"]:
                wanted = params["query"].partition(":'")[2].removesuffix("'").replace("\\'", "'").replace("\\\\", "\\")
                found = [it for it in self.intents.values() if it["metadata"].get("orderflow_key") == wanted]
                return 200, _list(found) | {"object": "search_result"}
            case _, ["payment_intents", intent, *_] if intent not in self.intents:
                return 404, _error("resource_missing")
            case "GET", ["payment_intents", intent]:
                return 200, self.intents[intent]
            case "POST", ["payment_intents", intent, "capture"]:
                return self._capture(self.intents[intent], int(params["amount_to_capture"]))
            case "POST", ["payment_intents", intent, "cancel"]:
                if self.intents[intent]["status"] in ("succeeded", "canceled"):
                    return 400, _error("payment_intent_unexpected_state")
                self.intents[intent]["status"] = "canceled"
                return 200, self.intents[intent]
            case "POST", ["refunds"]:
                return self._refund(params)
            case "GET", ["refunds"]:
                return 200, _list(
                    [it for it in self.refunds.values() if it["payment_intent"] == params["payment_intent"]]
                )
            case "GET", ["refunds", refund] if refund in self.refunds:
                if self.refunds[refund]["status"] == "pending":
                    self.refunds[refund]["status"] = "succeeded"
                return 200, self.refunds[refund]
        return 404, _error("resource_missing")

    def _create(self, params: dict[str, str]) -> Answer:
        name = f"pi_{next(self._numbers)}"
        card = params["payment_method"]
        intent: dict[str, Any] = {
            "id": name,
            "object": "payment_intent",
            "amount": int(params["amount"]),
            "amount_received": 0,
            "currency": params["currency"],
            "created": int(time.time()),
            "client_secret": f"{name}_secret_x",
            "status": "requires_capture",
            "next_action": None,
            "last_payment_error": None,
            "metadata": {k[9:-1]: v for k, v in params.items() if k.startswith("metadata[")},
            "payment_method": card,
        }
        self.intents[name] = intent
        if card == THREE_D_SECURE:
            to = {"url": "https://bank.example/3ds"}
            intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": to}}
        elif card == DECLINED:
            error = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
            return 402, {"error": error | {"payment_intent": intent, "message": "declined"}}
        return 200, intent

    def _capture(self, intent: dict[str, Any], amount: int) -> Answer:
        if intent["status"] != "requires_capture":
            return 400, _error("payment_intent_unexpected_state")
        if amount > intent["amount"]:
            return 400, _error("amount_too_large")
        if intent["payment_method"] == PROCESSING:
            intent["status"] = "processing"
        else:
            intent |= {"status": "succeeded", "amount_received": amount}
        return 200, intent

    def _refund(self, params: dict[str, str]) -> Answer:
        intent = self.intents.get(params["payment_intent"])
        if intent is None:
            return 404, _error("resource_missing")
        amount = int(params["amount"])
        if self._refunded(intent) + amount > intent["amount_received"]:
            return 400, _error("charge_already_refunded")
        status = {REFUND_PENDING: "pending", REFUND_FAIL: "failed"}.get(intent["payment_method"], "succeeded")
        refund = {
            "id": f"re_{next(self._numbers)}",
            "object": "refund",
            "amount": amount,
            "payment_intent": intent["id"],
            "status": status,
            "failure_reason": "expired_or_canceled_card" if status == "failed" else None,
            "metadata": {k[9:-1]: v for k, v in params.items() if k.startswith("metadata[")},
        }
        self.refunds[str(refund["id"])] = refund
        return 200, refund

    def _refunded(self, intent: dict[str, Any]) -> int:
        mine = [it for it in self.refunds.values() if it["payment_intent"] == intent["id"] and it["status"] != "failed"]
        return sum(it["amount"] for it in mine)

    def _shown(self, intent: dict[str, Any]) -> dict[str, Any]:
        charge = {"id": f"ch_{intent['id']}", "object": "charge", "amount_refunded": self._refunded(intent)}
        return intent | {"latest_charge": charge}


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": items, "has_more": False, "url": "/v1/list"}


def _error(code: str) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "code": code, "message": code}}
