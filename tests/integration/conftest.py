"""Longer deadlines for tests on real servers."""

import pytest
from orderflow.application.health.doctor import connections as reach


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that a busy machine keeps waiting is not what a test of the doctor is about."""
    monkeypatch.setattr(reach, "SLOW_SECONDS", 60.0)
