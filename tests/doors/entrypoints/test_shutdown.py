"""SIGHUP ends a process with its terminal, and changes nothing in a service."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from orderflow.entrypoints import shutdown
from orderflow.entrypoints.shutdown import Stopping, until_signalled

from tests.support.waiting import eventually_async


@pytest.fixture
def unhandled() -> Iterator[list[int]]:
    """The signals that nothing else has handled; they end no test."""
    found: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: found.append(number))
    yield found
    signal.signal(signal.SIGHUP, before)


async def test_a_service_logs_that_there_is_nothing_to_reload(
    unhandled: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orderflow.processes")
    monkeypatch.setattr(shutdown, "_has_terminal", lambda: False)
    stopping = Stopping()

    async with until_signalled(stopping):
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually_async(lambda: "nothing to reload" in caplog.text)

    assert not stopping.begun()
    assert unhandled == []


async def test_a_process_shuts_down_when_its_terminal_is_closed(
    unhandled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "_has_terminal", lambda: True)
    stopping = Stopping(grace=600, exit=lambda _: None)

    async with until_signalled(stopping, with_grace=True) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually_async(stop.is_set)
    stopping.ended()

    assert unhandled == []


async def test_a_process_that_was_started_by_nohup_ignores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_has_terminal", lambda: True)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stopping = Stopping()

    async with until_signalled(stopping):
        os.kill(os.getpid(), signal.SIGHUP)
        still_ignored = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)

    assert still_ignored is signal.SIG_IGN
    assert not stopping.begun()
