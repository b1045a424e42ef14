"""``orderflow completion``: scripts that complete commands and options in a shell."""

import sys
from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish", "powershell"], /) -> None:
    """Print the completion script for a shell.

    SHELL is bash, zsh, fish or powershell.
    """
    from .main import app

    sys.stdout.write(app.generate_completion(prog_name="orderflow", shell=shell))
