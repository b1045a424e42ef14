"""Arguments that several commands take: an actor, a time, a file."""

from codecs import BOM_UTF8
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ...domain.errors import InvalidInput
from ...domain.text import identifier
from ...domain.validation import time_in
from .output import standard_input
from .session import session

As = Annotated[str, Parameter(name="--as", help="the actor, as ROLE:ID")]
OPERATOR = "admin:operator"


def parse_time(text: str | None, field: str) -> datetime | None:
    """Parse a time in RFC 3339, in UTC; without an offset it is UTC. Raises InvalidInput."""
    return None if text is None else time_in(text, field=field, allowed="RFC 3339, such as 2024-01-01T12:00:00Z")


def parse_identifier(text: str | None, field: str) -> str | None:
    """Return an identifier, which may be absent. Raises InvalidInput."""
    return None if text is None else identifier(text, field=field)


def read_file(file: Path) -> bytes:
    """Return the content of ``file``, without a byte order mark. Raises InvalidInput, also if it is too large."""
    limit = session().settings.http_max_body_bytes
    try:
        with standard_input() if str(file) == "-" else file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as e:
        raise InvalidInput(str(file), f"cannot be read: {e.strerror}", "a readable file, or -") from e
    if len(content) > limit:
        raise InvalidInput(
            str(file), f"more than {limit} bytes", f"at most {limit} bytes (ORDERFLOW_HTTP_MAX_BODY_BYTES)"
        )
    return content.removeprefix(BOM_UTF8)
