"""Runs commands in forked processes of their own whose standard streams are broken; a program for a subprocess.

Forking after the imports costs a tenth of a new interpreter, so the parent imports what a command has imported before
it forks for the next. Standard input has a JSON list of cases, the answer is one
JSON document a line: the exit code and what the command wrote on standard error.
"""

import gc
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

BREAKS = ("full stdout", "closed stdout", "reader gone", "full stderr", "all closed")


_IMPORTED = (
    *("aiosqlite", "alembic", "cyclopts", "dependency_injector", "encodings", "litestar", "msgspec", "orderflow"),
    *("phonenumbers", "rich", "sqlalchemy", "uvicorn", "uvloop"),
)


def main() -> None:
    for case in json.loads(sys.stdin.read()):
        print(json.dumps(_outcome(case)), flush=True)


def _outcome(case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(case["folder"], folder, dirs_exist_ok=True)
        talk = Path(folder) / "stderr"
        gc.freeze()  # a collection in the child would copy the pages of all modules
        child = os.fork()
        if child == 0:
            _run(case, Path(folder), talk)
        _, status = os.waitpid(child, 0)
        modules = Path(folder) / "modules"
        for name in modules.read_text().split() if modules.exists() else ():  # not if a deadline ended the process
            with suppress(ImportError, AttributeError):
                import_module(name)
        return {"code": os.waitstatus_to_exitcode(status), "err": talk.read_text() if talk.exists() else ""}


def _run(case: dict[str, Any], folder: Path, talk: Path) -> None:
    """Run the command as the console script does, and end as the interpreter does."""
    code = 120
    try:
        os.chdir(folder)
        os.environ.update(
            ORDERFLOW_DATABASE_URL=f"sqlite:///{folder}/orderflow.db",
            ORDERFLOW_HTTP_PORT="0",
            ORDERFLOW_HTTP_DEV="true",
            ORDERFLOW_STOP_GRACE_SECONDS="0",
        )
        _break(case["broken"], talk)
        if case["process"]:
            _stop_when_it_listens_to_signals()
        sys.argv = ["orderflow", *case["arguments"]]
        from orderflow.entrypoints.cli import main as command

        try:
            command()
        except SystemExit as ended:
            code = int(ended.code or 0)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = 120  # as the interpreter says at its end
    except BaseException as error:  # noqa: BLE001  # the parent reports it
        talk.write_text(f"Traceback: {error!r}")
    finally:
        (folder / "modules").write_text("\n".join(each for each in sys.modules if each.startswith(_IMPORTED)))
        os._exit(code)


def _break(broken: str, talk: Path) -> None:
    os.dup2(os.open("order.json", os.O_RDONLY), 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(talk, os.O_WRONLY | os.O_CREAT), 2)
    closed = {"closed stdout": {1}, "closed stdin": {0}, "all closed": {0, 1, 2}}.get(broken, set())
    if broken.startswith("full"):
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1 if broken == "full stdout" else 2)
    if broken == "reader gone":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    for descriptor in closed:
        os.close(descriptor)
    streams = [None if n in closed else _stream(n) for n in range(3)]
    sys.stdin, sys.stdout, sys.stderr = streams


def _stream(descriptor: int) -> TextIOWrapper:
    """A stream as the interpreter opens it."""
    if descriptor == 0:
        return TextIOWrapper(os.fdopen(0, "rb", closefd=False), encoding="utf-8")
    errors, line_buffering = ("strict", False) if descriptor == 1 else ("backslashreplace", True)
    raw = os.fdopen(descriptor, "wb", closefd=False)
    return TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=line_buffering)


def _stop_when_it_listens_to_signals() -> None:
    def look(*_: object) -> None:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)


if __name__ == "__main__":
    main()
