"""pytest in a process of its own, as an application runs it that is not in this tree."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_pytest(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run pytest in ``folder``, with no settings of this tree and without plugins that it does not need either."""
    unneeded = (f"-pno:{plugin}" for plugin in ("cacheprovider", "schemathesis", "faker", "anyio", "xdist"))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--rootdir={folder}", "-c", os.devnull, *unneeded, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
