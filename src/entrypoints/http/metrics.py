"""Requests counted, and ``/metrics``, where everything that is counted is read."""

from time import perf_counter
from typing import TYPE_CHECKING, Any

from attrs import frozen
from litestar import Request, Response, get
from litestar.di import NamedDependency as Given

from ...adapters.telemetry import Instruments, Scrape
from ...adapters.telemetry.metrics import catalogue as the
from .correlation import CorrelatedApp

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

UNMATCHED = "unmatched"
"""The route of a request that leads nowhere."""


class InstrumentedApp(CorrelatedApp):
    """A CorrelatedApp whose requests are counted by route, method and status, where ``instruments`` are given."""

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
        request: Any = scope  # Litestar adds to it what it finds

        async def told(message: "Message") -> None:
            if message["type"] == "http.response.start":
                instruments.observe(
                    the.HTTP_SECONDS,
                    perf_counter() - began,
                    route=request.get("path_template") or UNMATCHED,
                    method=request["method"],
                    status=str(message["status"]),
                )
            await send(message)  # type: ignore[arg-type]

        instruments.add(the.HTTP_ACTIVE)
        try:
            await super().__call__(scope, receive, told)
        finally:
            instruments.add(the.HTTP_ACTIVE, -1)


@frozen
class MetricsPage:
    """Named so that it can be injected as one thing."""

    scrape: Scrape


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[Any, Any, Any], reading: Given[MetricsPage]) -> Response[bytes]:
    """Everything of the catalogue that this process knows, as Prometheus reads it."""
    text, content_type = await reading.scrape(request.headers.get("accept", ""))
    return Response(text, media_type=content_type, headers={"Cache-Control": "no-store"})
