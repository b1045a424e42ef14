"""Longer deadlines for tests of whole installations, and the smallest installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import unhurried
from tests.support.installation import Installation, installation
from tests.support.stack import Stack

__all__ = ["unhurried"]


@pytest.fixture
def orderflow(tmp_path: Path) -> Iterator[Installation]:
    """An installation on a SQLite file, without Kafka."""
    with installation(Stack(tmp_path, f"sqlite:///{tmp_path}/orderflow.db", "", "orders")) as here:
        yield here
