"""A server process that the tests own: started, stopped, killed and paused by its own process id."""

import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from attrs import define, field, frozen


@frozen
class Account:
    """A system user to run a server as."""

    name: str
    uid: int
    gid: int

    @classmethod
    def unprivileged(cls) -> "Account | None":
        """Return the account for a server that refuses to run as root; None if this process is not root."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(name, entry.pw_uid, entry.pw_gid)
        return cls("nobody", 65534, 65534)

    def own(self, path: Path) -> None:
        """Give the file or folder to this user."""
        os.chown(path, self.uid, self.gid)


@define
class OwnProcess:
    """One server: its command line and log file, and the process while it runs.

    ``environment`` stands in for this process's own. Output goes to ``log``, so that a server which does not start
    can be explained.
    """

    command: Sequence[str]
    log: Path
    account: Account | None = None
    environment: Mapping[str, str] | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id while it runs.

        :raises ProcessLookupError: when it does not.
        """
        if self._process is None or self._process.poll() is not None:
            raise ProcessLookupError(f"{self.command[0]} is not running")
        return self._process.pid

    @property
    def state(self) -> str:
        """Describe whether it runs, or with which status it has ended."""
        if self._process is None:
            return "it was not started, or stopped"
        status = self._process.poll()
        if status is None:
            return f"it runs as {self._process.pid}"
        return f"it ended with {f'signal {-status}' if status < 0 else f'status {status}'}"

    def start(self) -> None:
        """Start it unless it runs already; whether it is ready is for the caller to ask."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env=self.environment,
                # A Ctrl-C in the terminal is for the tests, which then stop their servers in order.
                start_new_session=True,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM, *, deadline: float = 30.0) -> None:
        """Ask it to end and wait; killed at the deadline (in seconds). Nothing happens when it does not run."""
        if self._process is None:
            return
        if self._process.poll() is None:
            # A paused process would take the signal only when it goes on.
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(deadline)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """End it at once, children included, as a power cut would; returns when all are gone."""
        if self._process is None:
            return
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            self.pause()  # so that it starts no child between the look and the kill
            parent = psutil.Process(self._process.pid)
            family = [*parent.children(recursive=True), parent]
        for member in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=10)
        self._process = None

    def pause(self) -> None:
        """Stand still (SIGSTOP) until :meth:`resume`; returns when the last of its threads does.

        On busy processors that takes a moment, in which a server still answers.
        """
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def asleep(self) -> bool:
        """Is true while it is stopped by :meth:`pause`."""
        status: str = psutil.Process(self.pid).status()
        return bool(status == psutil.STATUS_STOPPED)

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        return last_words(self.log, lines)


def last_words(log: Path, lines: int = 15) -> str:
    """Return the end of a log."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
