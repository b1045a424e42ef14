"""Text that a caller wrote, as it is shown in a message: it is data, so it holds no controls and makes no links."""

import re
import unicodedata

_LINK = re.compile(
    r"""
    (?P<scheme> (?<![\w.+-]) (?: https? | ftp | mailto | tel | sms | javascript | data | file ) ) :
    | : (?= //)
    | (?<=\S) [.\u3002\uff0e\uff61] (?=[^\W\d_][\w-])
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Text that mail programs make a link of: a scheme, or a name with a domain. Each alternative is bounded."""
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Controls, format characters such as U+202E, surrogates, unassigned characters, and separators of lines."""
_JOINERS = "\u200d"
"""Joins the parts of an emoji."""


def plain(text: str) -> str:
    """Return ``text`` without control and format characters; runs of white space become one space."""
    if text.isascii() and text.isprintable():  # as nearly all texts, and this costs a fiftieth
        return " ".join(text.split())
    kept = (" " if c in "\t\n\r\v\f\u2028\u2029" else c for c in text if c in "\t\n\r\v\f\u2028\u2029" or _shown(c))
    return " ".join("".join(kept).split())


def quoted(text: str) -> str:
    """Return ``plain`` text in which nothing is a link: ``evil.example`` becomes ``evil[.]example``."""
    shown = plain(text)
    if shown.isascii() and "." not in shown and ":" not in shown:  # a link has one of them
        return shown
    return _LINK.sub(lambda match: f"{match['scheme'] or ''}[{match[0][-1]}]", shown)


def _shown(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _HIDDEN
