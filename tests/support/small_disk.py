"""A file system of its own, which can be full or read-only without the rest of the machine being so."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .process import Account


@contextmanager
def small_disk(megabytes: int = 1) -> Iterator[Path]:
    """A folder on a file system of that size, which an unprivileged server may write. Skips if it cannot be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="orderflow-small-"))
    try:
        if os.geteuid() != 0 or not _mount(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"):
            pytest.skip("this user cannot mount a file system")
        if (account := Account.unprivileged()) is not None:
            account.own(folder)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make the file system of ``folder`` read-only for a while."""
    assert _mount(folder, "-o", "remount,ro", "tmpfs")
    yield
    assert _mount(folder, "-o", "remount,rw", "tmpfs")


def _mount(folder: Path, *options: str) -> bool:
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    return done.returncode == 0
