"""Orders placed over HTTP by several clients at once, each on a connection that it keeps, until stopped."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx
from attrs import define, field

from tests.support.commands import order_json

PAUSE = 0.05
"""Seconds from an answer to the client's next order: more of them would only take the processor from what is tested."""
CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@define(eq=False)
class Load:
    """``acknowledged`` are the ids of orders that were answered 201; ``broken`` says what else came of a request."""

    url: str
    prefix: str = "o"
    acknowledged: list[str] = field(factory=list, init=False)
    broken: list[str] = field(factory=list, init=False)
    enough: threading.Event = field(factory=threading.Event, init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)

    def place_orders(self) -> None:
        """One client's work."""
        with httpx.Client(timeout=180) as client:
            while not self.enough.wait(PAUSE):
                order_id = f"{self.prefix}{next(self._numbers)}"
                try:
                    answer = client.post(f"{self.url}/v1/orders", content=order_json(order_id), headers=CUSTOMER)
                except httpx.TransportError as error:
                    self.broken.append(f"{order_id}: {error!r}")
                    return
                if answer.status_code == 201:
                    self.acknowledged.append(order_id)
                else:
                    self.broken.append(f"{order_id}: {answer.status_code} {answer.text}")


@contextmanager
def load(url: str, *, clients: int = 4, prefix: str = "o") -> Iterator[Load]:
    """Orders with ids that begin so are placed inside the block; at its end every client has had its last answer."""
    placing = Load(url, prefix)
    threads = [threading.Thread(target=placing.place_orders, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield placing
    finally:
        placing.enough.set()
        for thread in threads:
            thread.join(180)
