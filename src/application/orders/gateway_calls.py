"""Calls of the payment gateway, which may be anybody's: each has a time limit, and returns what the port says."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from ...domain.errors import GatewayUnavailable
from .payment_attempts import GatewayPayment, GatewayResponse
from .ports import PaymentGateway

RESPONSE_SECONDS = 30.0
"""The time that a gateway has for a response; less than ANSWERED_WITHIN, so that no call and look-up overlap."""
END = object()
T = TypeVar("T")

logger = logging.getLogger("orderflow.payments")


@contextmanager
def other_errors_logged(order_id: str = "") -> Iterator[None]:
    """Log every other error of a gateway than GatewayUnavailable, and raise that instead: its adapter is wrong."""
    try:
        yield
    except GatewayUnavailable:
        raise
    except Exception as e:
        logger.exception("the payment gateway failed", extra={"order_id": order_id})
        raise GatewayUnavailable("gateway", f"it failed: {type(e).__name__}; the log has more") from e


async def in_time(response: Awaitable[T], seconds: float = RESPONSE_SECONDS) -> T:
    """Return a gateway's response. Raises GatewayUnavailable if there is none in time, and what the gateway raises."""
    try:
        async with asyncio.timeout(seconds):
            return await response
    except TimeoutError:
        raise GatewayUnavailable("gateway", f"no response within {seconds:g} s") from None


async def responded(request: Awaitable[GatewayResponse]) -> GatewayResponse:
    """Return the response to a request. Raises as ``in_time``, and GatewayUnavailable if it is no GatewayResponse."""
    return _checked(await in_time(request))


async def found_response(request: Awaitable[GatewayResponse | None]) -> GatewayResponse | None:
    """Return what was found for a key. Raises as ``responded``."""
    found = await in_time(request)
    return None if found is None else _checked(found)


def _checked(response: object) -> GatewayResponse:
    if not isinstance(response, GatewayResponse):
        raise GatewayUnavailable("gateway", f"it returned {type(response).__name__} and no GatewayResponse")
    return response


async def listed_payments(gateway: PaymentGateway, since: datetime) -> AsyncIterator[GatewayPayment]:
    """Yield the gateway's own list. Raises GatewayUnavailable, also if it fails otherwise or lists something else."""
    with other_errors_logged():
        payments = aiter(gateway.payments(since=since))
    while True:
        with other_errors_logged():
            payment: object = await in_time(anext(payments, END))
        if payment is END:
            return
        if not isinstance(payment, GatewayPayment):
            raise GatewayUnavailable("gateway", f"its list has {type(payment).__name__} and no GatewayPayment")
        yield payment
