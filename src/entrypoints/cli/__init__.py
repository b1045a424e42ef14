"""The command line: everything an operator does."""

import sys

try:
    from .main import main
except KeyboardInterrupt:  # Ctrl-C before the program handles it
    sys.exit(130)

__all__ = ["main"]
