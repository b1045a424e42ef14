"""Counts requests and serves ``/metrics``."""

from time import perf_counter
from typing import TYPE_CHECKING, Any

from attrs import frozen
from litestar import Request, Response, get
from litestar.di import NamedDependency

from ...adapters.telemetry import Instruments, Scrape
from ...adapters.telemetry.metrics import catalogue
from .correlation import CorrelatedApp

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

UNMATCHED = "unmatched"
"""The route label of requests that match no route."""


class InstrumentedApp(CorrelatedApp):
    """A CorrelatedApp that counts requests by route, method and status if it has ``instruments``."""

    instruments: Instruments | None = None

    async def __call__(
        self,
        scope: "Scope | LifeSpanScope",
        receive: "Receive | LifeSpanReceive",
        send: "Send | LifeSpanSend",
    ) -> None:
        if scope["type"] == "lifespan" or self.instruments is None:
            await super().__call__(scope, receive, send)
            return
        instruments, began = self.instruments, perf_counter()
        request: Any = scope  # Litestar adds path_template to it
        method = request.get("method", "")

        async def observe(message: "Message") -> None:
            if message["type"] == "http.response.start":
                instruments.observe(
                    catalogue.HTTP_SECONDS,
                    perf_counter() - began,
                    route=request.get("path_template") or UNMATCHED,
                    method=method,
                    status=str(message["status"]),
                )
            await send(message)  # type: ignore[arg-type]

        instruments.add(catalogue.HTTP_ACTIVE)
        try:
            await super().__call__(scope, receive, observe)
        finally:
            instruments.add(catalogue.HTTP_ACTIVE, -1)


@frozen
class MetricsPage:
    """The scrape, as a named dependency."""

    scrape: Scrape


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[Any, Any, Any], page: NamedDependency[MetricsPage]) -> Response[bytes]:
    """Return all metrics of this process in the format that the request accepts."""
    text, content_type = await page.scrape(request.headers.get("accept", ""))
    return Response(text, media_type=content_type, headers={"Cache-Control": "no-store"})
