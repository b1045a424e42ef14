"""The standard streams of one command: what they cannot carry is escaped, and a broken one is an error of its own."""

import codecs
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, RawIOBase, TextIOWrapper
from threading import current_thread, main_thread
from typing import IO, BinaryIO

from ...domain.errors import InvalidInput
from ...domain.text import UNPRINTABLE, printable

_UTF_8 = "utf-8"
_NOT_IN_JSON = re.compile(f"[{UNPRINTABLE}]")
_NOT_ASCII = re.compile("[^\x00-\x7e]")


class OutputFailed(Exception):
    """Standard output cannot be written. ``closed_by_reader``: its reader has gone, as `head` does."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or type(error).__name__)
        self.closed_by_reader = isinstance(error, BrokenPipeError)


class StandardOutput(TextIOWrapper):
    """Standard output in the terminal's encoding. Raises OutputFailed instead of OSError.

    Characters that the encoding lacks are written as backslash escapes.
    """

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise OutputFailed(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputFailed(error) from error


class StandardError(TextIOWrapper):
    """Standard error, likewise. A message that cannot be written is lost, and the command continues."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            return super().write(text)
        discard(self)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            discard(self)


def ignore_impossible_width() -> None:
    """Remove COLUMNS from the environment if no terminal is that wide: a help page would take minutes or fail."""
    if not re.fullmatch(r"[1-9][0-9]{1,3}", os.environ.get("COLUMNS", "")):
        os.environ.pop("COLUMNS", None)


def open_standard_streams() -> None:
    """Replace the process's streams. A stream that is closed is opened on the null device.

    Otherwise the next file or connection would take its descriptor, and receive what is printed. One that another
    program, such as Node.js, has left non-blocking would end a file where its writer pauses.
    """
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):  # using 0 or 1 still fails
        try:
            os.set_blocking(descriptor, True)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdout = _opened(sys.stdout, 1, StandardOutput)
    sys.stderr = _opened(sys.stderr, 2, StandardError)


def _opened(stream: IO[str] | None, descriptor: int, kind: type[TextIOWrapper]) -> TextIOWrapper:
    if not isinstance(stream, TextIOWrapper):
        binary = os.fdopen(descriptor, "wb", closefd=False)
        return kind(binary, encoding=_UTF_8, errors="backslashreplace")
    encoding, by_line = stream.encoding, stream.line_buffering or stream.write_through
    binary = stream.detach()
    if isinstance(binary, RawIOBase):  # PYTHONUNBUFFERED: without a buffer, a write to a full disk may be cut off
        binary = BufferedWriter(binary)
    return kind(binary, encoding=encoding, errors="backslashreplace", line_buffering=by_line)


def discard(stream: IO[str]) -> None:
    """Connect ``stream`` to the null device, so that nothing more fails, not even at the interpreter's exit."""
    with suppress(OSError, ValueError):  # a stream in memory has no descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def write_json(document: str) -> None:
    """Write one line of JSON. Control characters, and what the stream's encoding lacks, are escaped as JSON does."""
    encoding = getattr(sys.stdout, "encoding", None) or _UTF_8
    kept = _NOT_IN_JSON if codecs.lookup(encoding).name == _UTF_8 else _NOT_ASCII
    sys.stdout.write(kept.sub(_json_escape, document) + "\n")


def encodable(text: str) -> str:
    """Return ``text`` with backslash escapes for what standard output cannot show, so that its width is known."""
    encoding = getattr(sys.stdout, "encoding", None) or _UTF_8
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def standard_input() -> Iterator[BinaryIO]:
    """Yield standard input. Ctrl-C interrupts reading at once. Raises InvalidInput if it cannot be read.

    asyncio's own handler of SIGINT would only cancel the task, which does not end a blocking call.
    """
    if sys.stdin is None:
        raise InvalidInput("-", "standard input is closed", "a file, or an open standard input")
    if current_thread() is not main_thread():
        yield sys.stdin.buffer
        return
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield sys.stdin.buffer
    except OSError as error:
        raise InvalidInput("-", f"standard input cannot be read: {error.strerror}", "a file") from error
    finally:
        signal.signal(signal.SIGINT, handler)


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
