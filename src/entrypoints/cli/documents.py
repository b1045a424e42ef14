"""Divides a stream of bytes into JSON documents, one a line or the elements of one array, in bounded memory."""

import re
from collections.abc import Iterator

from attrs import define, field, frozen

from ...domain.errors import InvalidInput

_OUTSIDE = re.compile(rb'[\[\]{}",\n]')
_IN_TEXT = re.compile(rb'["\\\n]')
_BLANK = b" \t\r\n"


@frozen
class Document:
    """One document and the line on which it begins; ``content`` is None if it is longer than is allowed."""

    line: int
    content: bytes | None


@define(eq=False)
class Documents:
    """The documents of a stream of which the first character decides: ``[`` begins an array.

    Bytes are fed as they arrive. No document is decoded, and no more than ``limit`` bytes of one are kept. Empty lines
    are no documents.
    """

    limit: int
    _line: int = field(default=1, init=False)
    """The line of what comes next."""
    _begins: int = field(default=1, init=False)
    """The line on which the document in ``_kept`` begins."""
    _kept: bytearray = field(factory=bytearray, init=False)
    _too_long: bool = field(default=False, init=False)
    _found: int = field(default=0, init=False)
    _is_array: bool | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)
    """True after the end of the array."""
    _depth: int = field(default=0, init=False)
    _in_text: bool = field(default=False, init=False)
    _escaped: bool = field(default=False, init=False)

    def feed(self, data: bytes) -> Iterator[Document]:
        """Yield the documents that ``data`` completes. Raises InvalidInput for what follows the end of an array."""
        if self._is_array is None:
            self._line += _newlines_before(data)
            self._begins = self._line
            data = data.lstrip(_BLANK)
            if not data:
                return
            self._is_array = data.startswith(b"[")
        yield from self._elements(data) if self._is_array else self._lines(data)

    def end(self) -> Iterator[Document]:
        """Yield the last line. Raises InvalidInput if an array has no end."""
        if self._is_array and not self._closed:
            raise InvalidInput(f"line {self._line}", "the array has no end", "']' after the last order")
        if not self._is_array:
            yield from self._take()

    def _lines(self, data: bytes) -> Iterator[Document]:
        *ended, rest = data.split(b"\n")
        for line in ended:
            self._keep(line)
            self._line += 1
            yield from self._take()
        self._keep(rest)

    def _elements(self, data: bytes) -> Iterator[Document]:
        start, at = 0, 1 if self._escaped else 0
        self._escaped = False
        while not self._closed and (found := (_IN_TEXT if self._in_text else _OUTSIDE).search(data, at)) is not None:
            token, at = found[0], found.end()
            if token == b"\n":
                self._line += 1
            elif token == b'"':
                self._in_text = not self._in_text
            elif token == b"\\":
                self._escaped = at == len(data)
                at += 1
            elif token in b"[{":
                self._depth += 1
                start = at if self._depth == 1 else start
            elif self._depth > 1:
                self._depth -= token != b","
            elif token != b"}":  # which is a part of a wrong element
                self._keep(data[start : found.start()])
                self._closed = token == b"]"
                yield from self._take(empty=not self._closed or self._found > 0)
                start = at
        if not self._closed:
            self._keep(data[start:])
        elif data[start:].strip(_BLANK):
            raise InvalidInput(f"line {self._line}", "there is more after the end of the array", "one array")

    def _keep(self, part: bytes) -> None:
        if not self._kept and not self._too_long:
            self._begins += _newlines_before(part)
            part = part.lstrip(_BLANK)
        if self._too_long or len(self._kept) + len(part) > self.limit:
            self._too_long = True
            self._kept.clear()
        else:
            self._kept += part

    def _take(self, *, empty: bool = False) -> Iterator[Document]:
        """Yield what is kept, also if it is ``empty``, and begin the next one."""
        content, too_long, begins = bytes(self._kept), self._too_long, self._begins
        self._kept.clear()
        self._too_long, self._begins = False, self._line
        if too_long or content.strip(_BLANK) or empty:
            self._found += 1
            yield Document(begins, None if too_long else content.strip(_BLANK))


def _newlines_before(content: bytes) -> int:
    """Return the number of newlines before the first character that is no blank."""
    return content[: len(content) - len(content.lstrip(_BLANK))].count(b"\n")
