"""Redaction of error texts for log lines, dead letters and spans.

An error's text may contain what a caller sent, and a driver's text the row that it refused. So only the first line of
an error that is not orderflow's own is kept, with everything in quotes masked. Passwords in URLs, mail addresses,
tokens and secrets of webhooks are masked in every text. Texts are cut before they are examined, because a caller may
choose their size.
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
MAX_TEXT = 2_000
"""Characters of one text."""
MAX_NAME = 100
"""Characters of one key of a mapping."""
MAX_ITEMS = 100
"""Elements of one list or mapping."""
MAX_ERRORS = 20
"""Errors of one traceback: causes, and members of groups."""
_WITH_INPUT = (InvalidInput, RequestRunning, RequestAnswered, KeyReused, TransientFailure)
"""Errors of orderflow whose text quotes input, or comes from a handler."""
_ABOUT_CODE = (ImportError, NameError, AttributeError)
"""Errors whose texts quote names of the program only."""
_INPUT_FIELDS = {"problem", "key"}
"""The fields of those errors that contain input."""
_SECRET = re.compile(
    r"(?P<url>://)[^\s/]*@"  # user and password, which may itself contain an @
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"',;]+"
    # Mail addresses: only from the beginning of a word, so that each word is scanned once.
    r"|(?<![^\s\"'<>()\[\]{},;:=/\\])@*[^\s\"'<>()\[\]{},;:=/\\@]+@"
    r"(?:[^\s\"'<>()\[\]{},;:=/\\@]*@)*[A-Za-z][\w-]*(?:\.[\w-]+)*"
    r"|(?P<name>password=)[^\s\"'&;,]+"  # in the query of a URL
    r"|\b(?:of_|whsec_|[rs]k_(?:live|test)_)[\w+/=-]{8,}",  # bearer tokens, secrets of webhooks, Stripe's keys
    re.IGNORECASE,
)
_MARKS = ("@", "of_", "whsec_", "k_", "=", " ")
"""One of them is in each text with a secret."""
_QUOTED = re.compile(r"(?<!\w)(?P<quote>[\"'`])(?:.*(?P=quote)|.*)", re.DOTALL)


def redact(text: str) -> str:
    """Return ``text`` with passwords in URLs, bearer tokens and mail addresses masked."""
    return _SECRET.sub(_mask, text) if any(mark in text for mark in _MARKS) else text


def error_text(error: BaseException) -> str:
    """Return the redacted text of ``error``."""
    if isinstance(error, InvalidInput):
        return bounded(f"{error.field[:100]}: {_unquoted(cut(error.problem))}; allowed: {error.allowed}")
    text = _text_of(error)
    if isinstance(error, _WITH_INPUT):
        return bounded(_unquoted(text))
    if isinstance(error, OrderFlowError):
        return bounded(_first_line(text))
    if isinstance(error, OSError) and isinstance(error.strerror, str) and error.strerror:
        return bounded(error.strerror)
    if isinstance(error, _ABOUT_CODE):
        return bounded(_first_line(text))
    return bounded(_unquoted(_first_line(text)))


def code_of(error: BaseException) -> str:
    """Return the code of an error of orderflow; of another error the name of its class."""
    return error.code if isinstance(error, OrderFlowError) else type(error).__name__


def context_of(error: BaseException) -> dict[str, object]:
    """Return the fields of ``error`` without input; of an error that is not orderflow's, its redacted message."""
    if not isinstance(error, OrderFlowError):
        return {"message": error_text(error)}
    has_input = isinstance(error, _WITH_INPUT) and not isinstance(error, UndecodableEvent)
    left_out = _INPUT_FIELDS if has_input else frozenset()
    return {name: _plain(value) for name, value in error.context().items() if name not in left_out}


def traceback_of(error: BaseException) -> str:
    """Return the traceback of ``error`` and its causes, with the redacted text of each and no values of variables."""
    return "".join(_frames(error, set()))


def bounded(text: str) -> str:
    """Return ``text`` cut and redacted."""
    return redact(cut(text))


def cut(text: str, at_most: int = MAX_TEXT) -> str:
    """Return the first ``at_most`` characters of ``text``, and no part of a word, which could be half a secret."""
    if len(text) <= at_most:
        return text
    kept = text[: at_most - 3]
    if not (kept[-1].isspace() or text[at_most - 3].isspace()):
        kept = kept[: -len(kept.split()[-1])]
    return kept + "..."


def _text_of(error: BaseException) -> str:
    """Return the beginning of the text of ``error``, or a remark if it has none or fails to make one."""
    try:
        return cut(str(error))
    except Exception as failure:  # noqa: BLE001
        return f"its text cannot be read ({type(failure).__name__})"


def _frames(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    if len(seen) > MAX_ERRORS:
        yield f"more than {MAX_ERRORS} errors\n"
        return
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _frames(before, seen)
        link = "the direct cause of" if error.__cause__ is not None else "being handled during"
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
        return bounded(_first_line(cut(value)))
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value[:MAX_ITEMS]]
    return plain_scalar(value)


def plain_scalar(value: object) -> object:
    """Return a number, a boolean or None as it is if JSON can have it, and the redacted text of everything else."""
    if isinstance(value, float | bool | None) or (isinstance(value, int) and value.bit_length() <= 64):
        return value
    try:
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else str(value)
    except Exception as failure:  # noqa: BLE001
        return f"it cannot be shown ({type(failure).__name__})"
    return bounded(text)


def _first_line(text: str) -> str:
    """Return the first line: PostgreSQL's second line has the row, SQLAlchemy's the parameters."""
    return text.partition("\n")[0]


def _unquoted(text: str) -> str:
    return _QUOTED.sub(MASK, text)


def _mask(match: re.Match[str]) -> str:
    if match["url"]:
        return f"://{MASK}@"
    return f"{match['scheme'] or match['name'] or ''}{MASK}"
