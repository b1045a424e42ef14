"""Longer deadlines for tests of whole installations."""

from tests.integration.conftest import unhurried

__all__ = ["unhurried"]
