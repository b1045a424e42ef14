"""Loggers that no handler and no filter of an embedding application can break.

A log line is about what was done. If a handler raises, what was done stays done, and its caller must not be told
otherwise.
"""

import logging
import sys
from collections.abc import Callable, Iterator

ROOTS = ("orderflow", "aiosqlite")
"""The loggers of orderflow, and of the library on whose thread each statement of SQLite runs."""
_told = set[str]()
"""The loggers of which a failure was told on standard error: once each, as its line may be lost for good."""


def protect_loggers() -> None:
    """Have every logger of ROOTS that exists now keep the exceptions of its handlers and filters to itself."""
    for logger in _loggers():
        if not isinstance(logger.handle, _Handle):
            logger.handle = _Handle(logger.handle, logger.name)  # type: ignore[method-assign]


class _Handle:
    """A logger's ``handle`` that raises nothing. A failure is told once for each logger."""

    def __init__(self, handle: Callable[[logging.LogRecord], None], name: str) -> None:
        self._handle, self._name = handle, name

    def __call__(self, record: logging.LogRecord) -> None:
        try:
            self._handle(record)
        except Exception as error:  # noqa: BLE001 - whatever the application's handler raises
            _tell(self._name, error)


def _tell(name: str, error: Exception) -> None:
    if name in _told:
        return
    _told.add(name)
    try:
        print(f"orderflow: a log handler of {name} fails: {type(error).__name__}", file=sys.stderr)
    except Exception:  # noqa: BLE001 - nobody is left to be told
        return


def _loggers() -> Iterator[logging.Logger]:
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in ROOTS:
            yield logger
