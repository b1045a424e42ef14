"""Uses typed-settings in a process of which the working directory was removed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


def prepare_imports() -> None:
    """Import typed-settings if the working directory is gone; else do nothing. It asks for the directory at import."""
    if _is_gone():
        with directory_asked_for():
            import_module("typed_settings")


@contextmanager
def directory_asked_for() -> Iterator[None]:
    """Answer ``os.getcwd`` with the root inside the block, if the working directory is gone; else do nothing.

    typed-settings asks for it whenever it converts values, to make paths absolute, and no setting is a path to it.
    """
    ask = os.getcwd
    if _is_gone():
        os.getcwd = lambda: os.sep
    try:
        yield
    finally:
        os.getcwd = ask


def _is_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False
