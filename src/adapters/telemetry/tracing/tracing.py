"""Spans, through OpenTelemetry's API alone.

They are recorded by an SDK: the one of the settings (``otlp.py``), or the one that the surrounding application has set
up. Without either there are no spans, and checking that costs next to nothing.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, time_ns

from attrs import define, evolve, field
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TracerProvider,
    TraceState,
)

from ....application.redaction import code_of
from ....application.request_context import answering, current_request

NAME = "orderflow"
ERROR_TYPE = "error.type"
LOOK_SECONDS = 1.0
"""The time after which it is looked again whether the application has set up an SDK."""
Attributes = Mapping[str, str | int | float | bool]


@define(eq=False)
class Tracing:
    """Makes spans. ``provider`` is the SDK of the settings; None for the application's, if it has set one up.

    ``finish`` sends the remaining spans at the end.
    """

    provider: TracerProvider | None = None
    finish: Callable[[], Awaitable[None]] | None = None
    _ours: Tracer | None = field(default=None, init=False)
    _found: bool = field(default=False, init=False)
    """True once the application has set up an SDK, which OpenTelemetry allows once."""
    _look_at: float = field(default=0.0, init=False)

    async def close(self) -> None:
        if self.finish is not None:
            await self.finish()

    @property
    def on(self) -> bool:
        """True if spans are recorded. A provider that the application sets up is found within LOOK_SECONDS."""
        if self.provider is not None or self._found:
            return True
        if (now := monotonic()) >= self._look_at:  # a look reads the environment, which takes microseconds
            self._look_at = now + LOOK_SECONDS
            self._found = not isinstance(trace.get_tracer_provider(), ProxyTracerProvider | NoOpTracerProvider)
        return self._found

    @contextmanager
    def span(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
    ) -> Iterator[Span]:
        """Begin a span; everything awaited inside belongs to it, also by the request's ``traceparent``.

        It is a child of the request's trace; without one, of the application's own span, or a root.
        Of an error that passes through, only the code is recorded.
        """
        request = current_request()
        around = traceparent_of(trace.get_current_span())
        context = context_of(request.traceparent) if request.traceparent not in ("", around) else None
        with (
            self._tracer().start_as_current_span(
                name, context, kind, attributes, record_exception=False, set_status_on_exception=False
            ) as span,
            answering(evolve(request, traceparent=traceparent_of(span) or request.traceparent)),
        ):
            try:
                yield span
            except Exception as error:
                failed(span, code_of(error))
                raise

    def past(
        self,
        name: str,
        kind: SpanKind,
        traceparent: str,
        seconds: float,
        *,
        attributes: Attributes,
        error: str = "",
    ) -> None:
        """Record a span that has just ended after ``seconds``, as a child of ``traceparent``; ``error`` is a code."""
        end = time_ns()
        span = self._tracer().start_span(
            name, context_of(traceparent), kind, attributes, start_time=end - int(seconds * 1e9)
        )
        if error:
            failed(span, error)
        span.end(end)

    def _tracer(self) -> Tracer:
        if self.provider is None:
            return trace.get_tracer(NAME)
        if self._ours is None:
            self._ours = self.provider.get_tracer(NAME)
        return self._ours


def failed(span: Span, code: str) -> None:
    """Mark ``span`` as failed with the error of this code."""
    span.set_attribute(ERROR_TYPE, code)
    span.set_status(Status(StatusCode.ERROR))


def sampled(traceparent: str) -> bool:
    """Return whether the trace is recorded where it began."""
    return bool(traceparent) and traceparent[-1] in "13579bdf"


def context_of(traceparent: str) -> Context:
    """Return the remote parent of a well-formed ``traceparent``; a new root for an empty one."""
    if not traceparent:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)), TraceState())
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def traceparent_of(span: Span) -> str:
    """Return the W3C Trace Context of ``span``; empty if spans are not recorded."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
