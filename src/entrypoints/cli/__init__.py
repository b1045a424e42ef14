"""The command line: everything an operator does."""

from .main import main

__all__ = ["main"]
