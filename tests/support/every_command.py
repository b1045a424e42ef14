"""Every command of ``orderflow``, enumerated from the application itself, with arguments for a run of each."""

from collections.abc import Iterator
from pathlib import Path

from cyclopts import App
from orderflow.entrypoints.cli.main import app

Command = tuple[str, ...]

PROCESSES: set[Command] = {("serve",), ("relay",), ("consume",), ("listen",)}
"""They run until a signal stops them."""

NOTE = ("--by", "ann", "--reason", "a test")
_ARGUMENTS: dict[Command, tuple[str, ...]] = {
    ("orders", "create"): ("-",),
    ("orders", "import"): ("-",),
    ("orders", "show"): ("o1",),
    ("orders", "list"): (),
    ("orders", "count"): (),
    ("orders", "refund"): ("o1", "--reason", "cold", "--borne-by", "restaurant"),
    ("orders", "transition"): ("o1", "preparing"),
    ("orders", "assign"): ("o1", "S1"),
    ("orders", "cancel"): ("o1", "--reason", "late"),
    ("orders", "pay"): ("o1",),
    ("orders", "timeline"): ("o1",),
    ("orders", "trace"): ("o1",),
    ("orders", "verify"): ("o1",),
    ("contacts", "set"): ("customer:C1", "--email", "c1@example.org"),
    ("contacts", "list"): (),
    ("contacts", "show"): ("customer:C1",),
    ("customers", "erase"): ("C1", *NOTE),
    ("customers", "export"): ("C1",),
    ("prices", "set"): ("R7", "F1", "--name", "Pizza", "--price", "12.50"),
    ("prices", "list"): ("R7",),
    ("prices", "import"): ("R7", "-"),
    ("prices", "remove"): ("R7", "F1"),
    ("stock", "set"): ("R7", "F1", "10"),
    ("stock", "list"): (),
    ("analytics", "minutes"): (),
    ("analytics", "restaurants"): (),
    ("analytics", "states"): (),
    ("analytics", "cancellations"): (),
    ("analytics", "deliveries"): (),
    ("serve",): (),
    ("relay",): (),
    ("consume",): (),
    ("config",): (),
    ("db", "upgrade"): (),
    ("db", "current"): (),
    ("topics", "create"): (),
    ("topics", "describe"): (),
    ("tokens", "make"): ("--role", "admin", "--id", "A1"),
    ("tokens", "list"): (),
    ("tokens", "revoke"): ("0123456789ab",),
    ("tokens", "rotate"): ("0123456789ab",),
    ("completion",): ("bash",),
    ("status",): ("--interval", "0"),
    ("doctor",): (),
    ("lag",): (),
    ("check",): (),
    ("events", "replay"): ("--consumer", "analytics", "--from", "0", *NOTE),
    ("events", "tail"): ("--no-follow",),
    ("events", "validate"): ("-",),
    ("contract", "asyncapi"): (),
    ("contract", "openapi"): (),
    ("rollout", "set"): ("10", *NOTE),
    ("rollout", "pause"): ("analytics", *NOTE),
    ("rollout", "resume"): ("analytics", *NOTE),
    ("rollout", "status"): (),
    ("rollout", "history"): (),
    ("dead-letters", "list"): (),
    ("dead-letters", "show"): ("analytics", "o1"),
    ("dead-letters", "redrive"): ("--all", *NOTE),
    ("dead-letters", "drop"): ("analytics", "o1", *NOTE),
    ("dead-letters", "history"): (),
    ("dead-letters", "unrecognized"): (),
    ("rebuild", "analytics"): (),
    ("log", "repair"): ("--dry-run",),
    ("log", "republish"): NOTE,
    ("log", "epochs"): (),
    ("log", "skip"): ("0", "0", *NOTE),
    ("maintenance",): (),
    ("notifications", "list"): (),
    ("notifications", "show"): ("o1",),
    ("notifications", "resend"): ("o1", *NOTE),
    ("notifications", "drop"): ("o1", *NOTE),
    ("webhooks", "add"): ("https://hooks.example/orders",),
    ("webhooks", "list"): (),
    ("webhooks", "show"): ("E1",),
    ("webhooks", "test"): ("E1",),
    ("webhooks", "deliveries"): ("E1",),
    ("webhooks", "resend"): ("E1", "o1", *NOTE),
    ("webhooks", "rotate"): ("E1", *NOTE),
    ("webhooks", "disable"): ("E1", *NOTE),
    ("webhooks", "enable"): ("E1", *NOTE),
    ("webhooks", "remove"): ("E1", *NOTE),
    ("webhooks", "replay"): ("E1", "--from", "1", *NOTE),
    ("listen",): ("--forward-to", "http://127.0.0.1:1/", "--events", "0"),
    ("payments", "list"): (),
    ("payments", "settle"): (),
    ("payments", "repeat"): ("o1", *NOTE),
    ("payments", "resolve"): ("P1", *NOTE),
    ("demo",): ("--orders", "3"),
    ("simulate", "run"): ("DAY", "--prefix", "again-"),
    ("simulate", "generate"): ("FOLDER", "--orders", "3"),
}


def commands(within: App = app, path: Command = ()) -> Iterator[Command]:
    """All commands that there are, however deep."""
    for name in within:
        if not name.startswith("-"):
            command = (*path, name)
            if within[name].default_command is not None:
                yield command
            yield from commands(within[name], command)


def arguments(command: Command, folder: Path) -> tuple[str, ...]:
    """A run of ``command`` that finds something to do; KeyError for a new one, which belongs into the table above."""
    places = {"DAY": str(folder / "small"), "FOLDER": str(folder / "generated")}
    return (*command, *(places.get(each, each) for each in _ARGUMENTS[command]))
