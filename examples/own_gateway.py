"""A payment gateway of your own: here a ledger in a file, where yours calls your provider.

ORDERFLOW_PAYMENT_GATEWAY=own_gateway:make_gateway orderflow serve
"""

import json
import os
from pathlib import Path
from uuid import uuid4

from attrs import asdict
from orderflow import GatewayResponse, Money


class LedgerGateway:
    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger

    async def authorize(self, *, card_token: str, amount: Money, key: str) -> GatewayResponse:
        return await self._once(key, "auth", "card_declined" if card_token == "tok_decline" else "")

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        return await self._once(key, "cap", "" if authorization.startswith("auth_") else "no_such_authorization")

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        return await self._once(key, "ref", "" if capture.startswith("cap_") else "no_such_capture")

    async def find(self, *, key: str) -> GatewayResponse | None:
        entries = map(json.loads, self.ledger.read_text().splitlines() if self.ledger.exists() else [])
        return next((GatewayResponse(**entry["response"]) for entry in entries if entry["key"] == key), None)

    async def _once(self, key: str, kind: str, declined: str) -> GatewayResponse:
        if known := await self.find(key=key):
            return known
        response = GatewayResponse(not declined, "" if declined else f"{kind}_{uuid4().hex}", declined)
        with self.ledger.open("a") as ledger:
            ledger.write(json.dumps({"key": key, "response": asdict(response)}) + "\n")
        return response


def make_gateway() -> LedgerGateway:
    return LedgerGateway(Path(os.environ.get("SHOP_LEDGER", "ledger.jsonl")))
