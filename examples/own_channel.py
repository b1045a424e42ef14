"""A notification channel of your own: text messages, through a provider that takes them by HTTP.

ORDERFLOW_NOTIFICATION_CHANNELS=log,own_channel:make_sms orderflow consume notifications
"""

import json
import os
from pathlib import Path

import httpx
from orderflow import ChannelUnavailable, Contact, Message, Receipt


class SmsChannel:
    name = "sms"

    def __init__(self, url: str, phones: dict[str, str]) -> None:
        self.url, self.phones, self.client = url, phones, httpx.AsyncClient(timeout=10)

    def address(self, party: str, contact: Contact | None) -> str | None:
        return self.phones.get(party)

    async def send(self, message: Message) -> Receipt:
        body = {"id": message.key, "to": message.address, "text": message.subject}  # the id is the same when sent again
        try:
            response = await self.client.post(self.url, json=body)
        except httpx.HTTPError as error:
            raise ChannelUnavailable(self.name, str(error)) from error
        if response.is_server_error:
            raise ChannelUnavailable(self.name, f"HTTP {response.status_code}")
        return Receipt(response.is_success, f"HTTP {response.status_code}")

    async def close(self) -> None:
        await self.client.aclose()


def make_sms() -> SmsChannel:
    return SmsChannel(os.environ["SHOP_SMS_URL"], json.loads(Path(os.environ["SHOP_PHONES"]).read_text()))
