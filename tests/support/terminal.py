"""A program on a terminal of its own, as a person runs it."""

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from threading import Thread
from types import TracebackType
from typing import Self

from attrs import define, field

from tests.support.waiting import eventually


@define
class Terminal:
    """Runs ``command`` on a terminal, and collects what it shows. The program ends with the context."""

    command: Sequence[str]
    environment: Mapping[str, str]
    shown: str = ""
    process: subprocess.Popen[bytes] = field(init=False)
    _master: int = field(init=False)
    _reader: Thread = field(init=False)

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            self.command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self.environment,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    def _read(self) -> None:
        try:
            while part := os.read(self._master, 65_536):
                self.shown += part.decode(errors="replace")
        except OSError:
            return  # Linux ends a terminal without a program by EIO

    def shows(self, text: str) -> None:
        """Wait until ``text`` has been shown."""
        eventually(
            lambda: text in self.shown or self.process.poll() is not None, deadline=180, that=f"it shows {text!r}"
        )
        assert text in self.shown, self.shown
