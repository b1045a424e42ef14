"""What may be said of a failure where others read it: log lines, dead letters, spans.

An error's own words may repeat what somebody sent, and a driver's words the row that it refused. So of the errors that
are not ours only the first line is told, with everything in quotes left out; and nowhere passwords in URLs, mail
addresses or tokens.
"""

import re
import traceback
from collections.abc import Iterator

from ..domain.errors import (
    InvalidInput,
    KeyReused,
    OrderFlowError,
    RequestAnswered,
    RequestRunning,
    TransientFailure,
    UndecodableEvent,
)

MASK = "***"
LONGEST = 2_000
"""Characters of one text."""
_REPEATING = (InvalidInput, RequestRunning, RequestAnswered, KeyReused, TransientFailure)
"""Our errors whose words repeat, in quotes, what was sent, or are somebody else's."""
_OF_CODE = (ImportError, NameError, AttributeError)
"""What these quote are names in programs."""
_UNTOLD = {"problem", "key"}
"""What these carry that is the sender's own."""
_SECRET = re.compile(
    r"(?P<url>://)[^\s/@]*@"  # user and password
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"',;]+"
    # Mail addresses: only from the beginning of a word, so that a long one is not looked through again and again.
    r"|(?<![^\s\"'<>()\[\]{},;:=/\\@])[^\s\"'<>()\[\]{},;:=/\\]+@[A-Za-z][\w-]*(?:\.[\w-]+)*"
    r"|\bof_[\w-]{8,}",  # our bearer tokens
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?<!\w)(?P<quote>[\"'`])(?:.*(?P=quote)|.*)", re.DOTALL)


def redact(text: str) -> str:
    """``text`` without passwords in URLs, bearer tokens and mail addresses."""
    return _SECRET.sub(_masked, text) if "@" in text or "of_" in text or " " in text else text


def error_text(error: BaseException) -> str:
    """What ``error`` says, as far as others may read it."""
    if isinstance(error, InvalidInput):
        return bounded(f"{error.field[:100]}: {_unquoted(error.problem)}; allowed: {error.allowed}")
    if isinstance(error, _REPEATING):
        return bounded(_unquoted(str(error)))
    if isinstance(error, OrderFlowError):
        return bounded(_first_line(str(error)))
    if isinstance(error, OSError) and error.strerror:
        return bounded(error.strerror)
    if isinstance(error, _OF_CODE):
        return bounded(_first_line(str(error)))
    return bounded(_unquoted(_first_line(str(error))))


def code_of(error: BaseException) -> str:
    """The slug of ours; of others the class."""
    return error.code if isinstance(error, OrderFlowError) else type(error).__name__


def context_of(error: BaseException) -> dict[str, object]:
    """What ``error`` carries by name, without what the sender wrote; of errors not ours, what they say."""
    if not isinstance(error, OrderFlowError):
        return {"said": error_text(error)}
    untold = _UNTOLD if isinstance(error, _REPEATING) and not isinstance(error, UndecodableEvent) else frozenset()
    return {name: _plain(value) for name, value in error.context().items() if name not in untold}


def traceback_of(error: BaseException) -> str:
    """Where ``error`` and its causes came from, and what each says as :func:`told` has it; no values of variables."""
    return "".join(_frames(error, set()))


def bounded(text: str) -> str:
    """``text`` redact, and its beginning where it is too long."""
    text = redact(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _frames(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _frames(before, seen)
        link = "the direct cause of" if error.__cause__ is not None else "being handled at"
        yield f"\nThat was {link}:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}: {error_text(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for number, each in enumerate(error.exceptions, 1):
            yield f"\nNumber {number} of its {len(error.exceptions)}:\n\n"
            yield from _frames(each, seen)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return bounded(_first_line(value))
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if isinstance(value, int | float | bool | None) else bounded(str(value))


def _first_line(text: str) -> str:
    """PostgreSQL's second line shows the row, SQLAlchemy's the parameters."""
    return text.partition("\n")[0]


def _unquoted(text: str) -> str:
    return _QUOTED.sub(MASK, text)


def _masked(found: re.Match[str]) -> str:
    if found["url"]:
        return f"://{MASK}@"
    return f"{found['scheme'] or ''}{MASK}"
