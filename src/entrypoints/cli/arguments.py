"""Arguments that several commands take: an actor, a time, a limit, a file."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter

from ...domain.errors import InvalidInput
from ...domain.text import identifier
from ...domain.validation import time_in
from .output import standard_input
from .session import session

As = Annotated[str, Parameter(name="--as", help="the actor, as ROLE:ID")]
OPERATOR = "admin:operator"
MAX_ENTRIES = 10_000
"""Entries of one answer."""


def parse_time(text: str | None, field: str) -> datetime | None:
    """Parse a time in RFC 3339, in UTC; without an offset it is UTC. Raises InvalidInput."""
    return None if text is None else time_in(text, field=field, allowed="RFC 3339, such as 2024-01-01T12:00:00Z")


def parse_identifier(text: str | None, field: str) -> str | None:
    """Return an identifier, which may be absent. Raises InvalidInput."""
    return None if text is None else identifier(text, field=field)


def checked_limit(limit: int) -> int:
    """Return ``limit``. Raises InvalidInput if an answer cannot have that many entries."""
    if not 1 <= limit <= MAX_ENTRIES:
        raise InvalidInput("limit", f"it is {limit}", f"1 to {MAX_ENTRIES}")
    return limit


@contextmanager
def opened_file(file: Path) -> Iterator[BinaryIO]:
    """Open ``file``, or standard input for '-'. Raises InvalidInput if it cannot be read."""
    try:
        with standard_input() if str(file) == "-" else file.open("rb") as stream:
            yield stream
    except OSError as e:
        raise InvalidInput(str(file), f"cannot be read: {e.strerror}", "a readable file, or -") from e


def read_file(file: Path) -> bytes:
    """Return the content of ``file``, without a byte order mark. Raises InvalidInput, also if it is too large."""
    limit = session().settings.http_max_body_bytes
    with opened_file(file) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InvalidInput(
            str(file), f"more than {limit} bytes", f"at most {limit} bytes (ORDERFLOW_HTTP_MAX_BODY_BYTES)"
        )
    return content.removeprefix(BOM_UTF8)
