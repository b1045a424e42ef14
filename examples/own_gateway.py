"""A payment gateway of your own: here a ledger in SQLite, where yours calls your provider.

ORDERFLOW_PAYMENT_GATEWAY=own_gateway:make_gateway orderflow serve
"""

import os
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from orderflow import AttemptKind, GatewayPayment, GatewayResponse, Money

TABLE = "CREATE TABLE IF NOT EXISTS requests (key PRIMARY KEY, kind, payment, order_id, amount, currency, problem, at)"
LISTED = "SELECT payment, order_id, currency, at FROM requests WHERE kind = 'authorize' AND problem = '' AND at >= ?"
MOVED = "SELECT amount FROM requests WHERE kind = ? AND payment = ? AND problem = ''"


class LedgerGateway:
    def __init__(self, file: str) -> None:
        self.ledger = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.ledger.execute(TABLE)

    async def authorize(self, *, order_id: str, card_token: str, amount: Money, key: str) -> GatewayResponse:
        declined = "card_declined" if card_token == "tok_decline" else ""
        return self._once(key, "authorize", uuid4().hex, amount, declined, order_id)

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        problem = "" if self._held(authorization) >= amount.amount else "not_held"
        return self._once(key, "capture", authorization, amount, problem)

    async def void(self, *, authorization: str, key: str) -> GatewayResponse:
        held = Money(self._held(authorization), "XXX")
        return self._once(key, "void", authorization, held, "" if held.amount else "not_held")

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        left = self._sum("capture", capture) - self._sum("refund", capture)
        return self._once(key, "refund", capture, amount, "" if left >= amount.amount else "not_captured")

    async def find(self, *, kind: AttemptKind, key: str, reference: str = "") -> GatewayResponse | None:
        found = self.ledger.execute("SELECT payment, problem FROM requests WHERE key = ?", (key,)).fetchone()
        return GatewayResponse(not found[1], found[0], found[1]) if found else None

    async def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
        for payment, order_id, currency, at in self.ledger.execute(LISTED, (since.isoformat(),)).fetchall():
            taken, back = (Money(self._sum(kind, payment), currency) for kind in ("capture", "refund"))
            values = {"reference": payment, "order_id": order_id, "created_at": datetime.fromisoformat(at)}
            yield GatewayPayment(**values, captured=taken, refunded=back, held=self._held(payment) > 0)

    def _held(self, authorization: str) -> Decimal:
        taken = self._sum("capture", authorization) or self._sum("void", authorization)
        return Decimal() if taken else self._sum("authorize", authorization)

    def _sum(self, kind: str, payment: str) -> Decimal:
        return sum((Decimal(amount) for (amount,) in self.ledger.execute(MOVED, (kind, payment))), Decimal())

    def _once(self, key: str, kind: str, payment: str, amount: Money, problem: str, order: str = "") -> GatewayResponse:
        """Write down a new key, and answer with what stands there."""
        row = (key, kind, payment, order, str(amount.amount), amount.currency, problem, datetime.now(UTC).isoformat())
        self.ledger.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        found = self.ledger.execute("SELECT payment, problem FROM requests WHERE key = ?", (key,)).fetchone()
        return GatewayResponse(not found[1], found[0], found[1])


def make_gateway() -> LedgerGateway:
    return LedgerGateway(os.environ.get("SHOP_LEDGER", "ledger.db"))
