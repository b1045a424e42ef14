"""Keeps a flood of refusals out of the log."""

import asyncio
import logging
from collections import Counter
from contextvars import Context
from time import monotonic

from attrs import define, field

PERIOD_SECONDS = 10.0
LINES = 100

logger = logging.getLogger("orderflow.http")


@define(eq=False)
class LogLimit:
    """Admits LINES log lines of each kind in PERIOD_SECONDS. One line at the end of the period counts the others."""

    _until: float = field(default=0.0, init=False)
    _admitted: Counter[str] = field(factory=Counter, init=False)
    _left_out: Counter[str] = field(factory=Counter, init=False)

    def admits(self, kind: str) -> bool:
        """Count a line of ``kind``, of which there are few, and return whether it is to be written."""
        if monotonic() >= self._until:
            self._end()
            self._until = monotonic() + PERIOD_SECONDS
            asyncio.get_running_loop().call_later(PERIOD_SECONDS, self._end, context=Context())
        if self._admitted[kind] < LINES:
            self._admitted[kind] += 1
            return True
        self._left_out[kind] += 1
        return False

    def _end(self) -> None:
        if self._left_out:
            logger.warning("log lines were left out", extra={"reasons": dict(self._left_out)})
        self._admitted.clear()
        self._left_out.clear()
