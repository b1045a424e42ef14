"""Loggers that no handler and no filter of an embedding application can break.

A log line is about what was done. If a handler raises, what was done stays done, so its caller must not get
an error.
"""

import logging
import sys
from collections.abc import Callable, Iterator

ROOTS = ("orderflow", "aiosqlite")
"""The loggers of orderflow, and of the library on whose thread each statement of SQLite runs."""
_reported = set[str]()
"""The loggers of which a failure was reported on standard error: once each, as its line may be lost for good."""


def protect_loggers() -> None:
    """Have every logger of ROOTS that exists now keep the exceptions of its handlers and filters to itself."""
    for logger in _loggers():
        if not isinstance(logger.handle, _Handle):
            logger.handle = _Handle(logger.handle, logger.name)  # type: ignore[method-assign]


class _Handle:
    """A logger's ``handle`` that raises nothing. A failure is reported once for each logger."""

    def __init__(self, handle: Callable[[logging.LogRecord], None], name: str) -> None:
        self._handle, self._name = handle, name

    def __call__(self, record: logging.LogRecord) -> None:
        try:
            self._handle(record)
        except Exception as error:  # noqa: BLE001 - whatever the application's handler raises
            _report(self._name, error)


def _report(name: str, error: Exception) -> None:
    if name in _reported:
        return
    _reported.add(name)
    try:
        print(f"orderflow: a log handler of {name} fails: {type(error).__name__}", file=sys.stderr)
    except Exception:  # noqa: BLE001 - there is no place left to report it
        return


def _loggers() -> Iterator[logging.Logger]:
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in ROOTS:
            yield logger
