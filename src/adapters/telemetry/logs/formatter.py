"""One format for every log line, of any logger: one JSON object a line, or readable on a terminal.

The keys are the same everywhere, in this order if they are present: time, level, event, logger, correlation_id,
trace_id, order_id, event_id, consumer, attempt, duration (seconds), error (code and context); then all others.
Texts of errors are redacted (``application.redaction``), and no text keeps a secret of the settings.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
import structlog
from attrs import define, field

from ....application.log_lines import EACH
from ....application.redaction import (
    MASK,
    MAX_ITEMS,
    MAX_NAME,
    code_of,
    context_of,
    cut,
    error_text,
    plain_scalar,
    redact,
    traceback_of,
)
from ....application.request_context import current_request
from ....domain.text import printable

KEYS = (
    "time",
    "level",
    "event",
    "logger",
    "correlation_id",
    "trace_id",
    "order_id",
    "event_id",
    "consumer",
    "attempt",
    "duration",
    "error",
)
_FIRST = {name: number for number, name in enumerate(KEYS)}
_PLAIN = frozenset(KEYS) - {"event", "error"}
"""Keys whose values are ids, numbers and names, which need no redaction."""
_NEVER = frozenset(
    {
        "address",
        "authorization",
        "body",
        "card_token",
        "contact",
        "email",
        "headers",
        "password",
        "secret",
        "text",
        "token",
        "value",
    }
)
"""Keys whose values are never written, of any logger."""
_ENCODER = msgspec.json.Encoder()
LONGEST = 20_000
"""Characters of one text."""
DEEPEST = 8
"""Levels of lists and mappings within each other."""
Line = MutableMapping[str, Any]


@define
class LineFormatter(logging.Formatter):
    """``readable`` for a terminal, JSON otherwise. ``secrets`` are replaced wherever they turn up in a text."""

    readable: bool = False
    secrets: Collection[str] = ()
    _known: re.Pattern[str] | None = field(init=False)
    _inner: structlog.stdlib.ProcessorFormatter = field(init=False)
    _render: Callable[[Any, str, Line], str] = field(init=False)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def __attrs_post_init__(self) -> None:
        longest_first = sorted(filter(None, self.secrets), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._render = (
            structlog.dev.ConsoleRenderer(event_key="event", timestamp_key="time") if self.readable else _json
        )
        self._inner = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*SHARED, structlog.stdlib.ExtraAdder(), _without_color],
            processors=[
                error_fields,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                self._redacted,
                self._line,
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        each = getattr(record, EACH, None)
        if each is None:
            return self._inner.format(_with_redacted_errors(record))
        head = {"time": _time(record), "level": record.levelname.lower(), "event": "", "logger": record.name}
        lines = [{**head, **line} for line in each]
        for line in lines:
            if "error" in line:
                line["error"] = self._clean(line["error"])
        if not self.readable:
            return _ENCODER.encode_lines(lines)[:-1].decode()
        return "\n".join(self._line(None, "", line) for line in lines)

    def _line(self, logger: Any, method: str, line: Line) -> str:
        ordered = dict(sorted(line.items(), key=lambda item: _FIRST.get(item[0], len(KEYS))))
        if self.readable:  # a terminal; JSON escapes them itself
            ordered = {name: printable(it) if isinstance(it, str) else it for name, it in ordered.items()}
        return self._render(logger, method, ordered)

    def _redacted(self, _: Any, __: str, line: Line) -> Line:
        for name, value in line.items():
            if name in _NEVER:
                line[name] = MASK
            elif name not in _PLAIN:
                line[name] = self._clean(value)
        return line

    def _clean(self, value: Any, depth: int = 0) -> Any:
        match value:
            case str():
                text = redact(cut(value, LONGEST))
                return text if self._known is None else self._known.sub(MASK, text)
            case Mapping() | list() | tuple() | set() | frozenset() if depth == DEEPEST:
                return "..."
            case Mapping():
                return {
                    cut(str(name), MAX_NAME): MASK if name in _NEVER else self._clean(each, depth + 1)
                    for name, each in islice(value.items(), MAX_ITEMS)
                }
            case list() | tuple() | set() | frozenset():
                return [self._clean(each, depth + 1) for each in islice(value, MAX_ITEMS)]
            case _:
                plain = plain_scalar(value)
                return self._clean(plain) if isinstance(plain, str) else plain


def _with_redacted_errors(record: logging.LogRecord) -> logging.LogRecord:
    """Return ``record`` with the texts of its errors redacted."""
    if not isinstance(record.args, tuple) or not any(isinstance(each, BaseException) for each in record.args):
        return record
    redacted = logging.makeLogRecord(record.__dict__)
    redacted.args = tuple(error_text(each) if isinstance(each, BaseException) else each for each in record.args)
    return redacted


def with_request(_: Any, __: str, line: Line) -> Line:
    """Add the ids of the current request, if the line has none."""
    request = current_request()
    if request.correlation_id:
        line.setdefault("correlation_id", request.correlation_id)
    if request.traceparent:
        line.setdefault("trace_id", request.trace_id)
    return line


def error_fields(_: Any, __: str, line: Line) -> Line:
    """Replace ``error`` and ``exc_info`` by a code, a context and the traceback, without values of the request."""
    error, raised = line.get("error"), _exception(line.pop("exc_info", None), line.get("_record"))
    if raised is not None:
        line["exception"] = traceback_of(raised)
        error = raised if error is None else error
    if isinstance(error, BaseException):
        line["error"] = {"code": code_of(error), "context": context_of(error)}
    elif isinstance(error, str):
        line["error"] = {"code": error}
    if isinstance(line["event"], BaseException):
        line["event"] = error_text(line["event"])
    return line


def _exception(exc_info: Any, record: logging.LogRecord | None) -> BaseException | None:
    """Return the exception of a line; structlog and the standard library each keep it in several ways."""
    if exc_info is None and record is not None:
        exc_info = record.exc_info
    if exc_info is True:
        exc_info = sys.exc_info()
    raised = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return raised if isinstance(raised, BaseException) else None


def _timestamped(_: Any, __: str, line: Line) -> Line:
    record: logging.LogRecord | None = line.get("_record")
    line["time"] = _time(record) if record is not None else _now(datetime.now(UTC))
    return line


def _without_color(_: Any, __: str, line: Line) -> Line:
    """Remove uvicorn's second text of a line, which is for a terminal."""
    line.pop("color_message", None)
    return line


SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    with_request,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    _timestamped,
)
"""The processors that every line passes, whatever its logger."""


def _time(record: logging.LogRecord) -> str:
    return _now(datetime.fromtimestamp(record.created, UTC))


def _now(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _json(_: Any, __: str, line: Mapping[str, Any]) -> str:
    try:
        return _ENCODER.encode(line).decode()
    except (TypeError, ValueError, OverflowError):  # a lone surrogate, or a number without end
        return json.dumps(line, default=str)
