"""The terms by which an order is found: words of its texts, and the digits of its telephone number.

Terms are computed here and compared byte by byte, so every storage finds the same orders: no database's own rules of
characters, languages or collations take part.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from unicodedata import combining, normalize

from attrs import frozen

from ..domain.annotations import Annotations
from ..domain.errors import InvalidInput
from ..domain.text import is_identifier

MAX_TERM = 64
"""Characters of a term; what a text has beyond is not searched."""
MAX_WORDS = 8
"""Words of one text that are searched, and words that a search may have."""
MAX_TERMS = 100
"""Terms of one order."""
LAST = "\U0010ffff"
"""The character after all others, in the order of the bytes of UTF-8."""
_MIN_DIGITS = 4
_PHONE = re.compile(r"[\d\s()+./\-\u2010-\u2015]+\Z")
_PARTS = re.compile(r"[\W_]+")
_WORD, _INTERNATIONAL, _NATIONAL, _UNKNOWN = "w", "+", "0", "?"
"""The first character of a term: a word; a telephone number with its country's code, without it, or of no country."""


@frozen
class SearchText:
    """A search: for an order whose id begins with ``id``, or one of a restaurant or customer with it, or terms.

    An order has the terms of an alternative if for each of its entries it has a term that begins with one of the texts
    of the entry. ``id`` is empty if the text cannot be one.
    """

    id: str
    alternatives: tuple[tuple[tuple[str, ...], ...], ...]


@frozen
class OrderTerms:
    """Makes terms. ``region`` is the country of telephone numbers without a code (ISO 3166, ``DE``), or empty."""

    region: str = ""

    def of(self, annotations: Annotations | None) -> list[str]:
        """Return the terms of an order with these annotations, sorted."""
        return [] if annotations is None else sorted(set(self._found(annotations)))[:MAX_TERMS]

    def wanted(self, q: str) -> SearchText:
        """Return what the text of a search means. Raises InvalidInput for too many words."""
        words = folded(q).split()
        if len(words) > MAX_WORDS:
            raise InvalidInput("q", f"{len(words)} words", f"1 to {MAX_WORDS} words")
        entries = tuple((_WORD + word,) for word in map(_trimmed, words) if word)
        alternatives: list[tuple[tuple[str, ...], ...]] = [entries] if entries else []
        if numbers := self._numbers(q):
            alternatives.append((numbers,))
        id_ = q.strip()
        return SearchText(id_ if is_identifier(id_) else "", tuple(alternatives))

    def _found(self, annotations: Annotations) -> Iterator[str]:
        for value in (annotations.customer_name, *(value for _, value in annotations.metadata)):
            for word in _words(value or ""):
                yield _WORD + word
        number = annotations.customer_phone or ""
        if parsed := self._parsed(number):
            yield _INTERNATIONAL + parsed[0]
            yield _NATIONAL + parsed[1]
        elif digits := _digits(number):
            yield _UNKNOWN + digits

    def _numbers(self, q: str) -> tuple[str, ...]:
        """Return the beginnings of a telephone number's terms; empty if ``q`` is no number."""
        digits = _digits(q)
        if len(digits) < _MIN_DIGITS or not _PHONE.match(q):
            return ()
        found = {_INTERNATIONAL + digits}
        if not q.lstrip().startswith("+"):
            found |= {_NATIONAL + digits, _UNKNOWN + digits}
        if parsed := self._parsed(q):
            found |= {_INTERNATIONAL + parsed[0], _UNKNOWN + parsed[1]}
        return tuple(sorted(found))

    def _parsed(self, number: str) -> tuple[str, str] | None:
        """Return the digits with the country's code, and without; None if its country is not known."""
        if not number:
            return None
        import phonenumbers  # 50 ms, which commands that have no number do without

        try:
            parsed = phonenumbers.parse(number, self.region or None)
        except phonenumbers.NumberParseException:
            return None
        national = str(parsed.national_number)
        return f"{parsed.country_code}{'0' * _zeros(parsed)}{national}", national


def _zeros(number: Any) -> int:
    """Return the zeros that belong to the number itself, as in Italy."""
    return (number.number_of_leading_zeros or 1) if number.italian_leading_zero else 0


WITHOUT_REGION = OrderTerms()
"""The terms without a region."""


def folded(text: str) -> str:
    """Return ``text`` without differences of case, accents, and width or form of characters."""
    for _ in range(2):  # what a character is decomposed into may have a case again
        text = "".join(each for each in normalize("NFKD", text.casefold()) if not combining(each))
    return text


def has_term(terms: Iterable[str], alternative: tuple[tuple[str, ...], ...]) -> bool:
    """Return whether an order with ``terms`` has those of ``alternative``."""
    return all(any(term.startswith(entry) for term in terms) for entry in alternative)


def _words(value: str) -> Iterator[str]:
    """Return the words of ``value``: what is between spaces, and the parts of it between other characters."""
    for word in folded(value).split()[:MAX_WORDS]:
        if trimmed := _trimmed(word):
            yield trimmed
            yield from (part[:MAX_TERM] for part in _PARTS.split(trimmed)[:MAX_WORDS] if part)


def _trimmed(word: str) -> str:
    """Return ``word`` without characters at its ends that are not alphanumeric."""
    return word.strip("".join({each for each in word if not each.isalnum()}))[:MAX_TERM]


def _digits(number: str) -> str:
    """Return the digits without zeros in front, as ASCII."""
    return "".join(str(int(each)) for each in number if each.isdecimal()).lstrip("0")
