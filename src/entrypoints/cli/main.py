"""``orderflow``: results on standard output, messages on standard error, and an exit code for each kind of failure.

A command's module is imported when the command runs, so that ``orderflow --version`` needs neither SQLAlchemy nor rich.
"""

import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter, Token, convert

from ...domain.errors import (
    CommandRefused,
    Conflict,
    EventTooLarge,
    InvalidInput,
    NotFound,
    OrderFlowError,
    PricesNotPermitted,
    Unavailable,
)
from ...domain.text import printable, shown
from .output import OutputFailed, discard, ignore_impossible_width, open_standard_streams

EXIT_CODES: tuple[tuple[type[OrderFlowError], int], ...] = (
    (InvalidInput, 2),
    (EventTooLarge, 2),
    (NotFound, 3),
    (CommandRefused, 4),
    (Conflict, 4),
    (PricesNotPermitted, 4),
    (Unavailable, 5),
    (OrderFlowError, 1),
)
"""The first class that an error belongs to decides: 1 failure, 2 usage, 3 not found, 4 conflict, 5 unavailable."""

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it."""
PROCESSES = {("serve",), ("relay",), ("consume",), ("listen",)}
"""Commands that run until they are stopped: an error that ends one is logged. A usage error is still printed."""

COMMANDS = {
    "Orders": {
        "orders:app": ("orders", "Create, show and change orders."),
        "contacts:app": ("contacts", "Email addresses of customers, restaurants and shippers."),
        "customers:app": ("customers", "Erase or export what is kept of a customer."),
        "prices:app": ("prices", "Prices and availability of the items of a restaurant."),
        "stock:app": ("stock", "Quantities that can be ordered, per restaurant and food."),
        "analytics:app": ("analytics", "Orders and revenue, states, cancellations and delivery times."),
    },
    "Processes": {
        "run:serve": ("serve", "Run the API, the relay and the consumers in one process."),
        "run:relay": ("relay", "Publish the log to Kafka, exactly once and in order, until stopped."),
        "run:consume": (
            "consume",
            "Run consumers until stopped: notifications, analytics, inventory, webhooks, and your own.",
        ),
    },
    "Setup": {
        "run:config": ("config", "Show all settings, with secrets masked."),
        "db:app": ("db", "Create and migrate the database schema."),
        "topics:app": ("topics", "Create and describe the topic on Kafka."),
        "tokens:app": ("tokens", "Create, list, rotate and revoke bearer tokens for the HTTP API."),
        "completion:completion": ("completion", "Print the completion script for a shell."),
    },
    "Health": {
        "status:status": ("status", "Show the whole installation on one screen."),
        "doctor:doctor": ("doctor", "Find what is wrong with the installation, and how to fix it."),
        "lag:lag": ("lag", "Show how far the relay and the consumers are behind the log."),
        "check:check": ("check", "Compare orders, log, topic and effects, and list every difference."),
    },
    "Events": {
        "events:app": ("events", "Read, validate and replay events."),
        "listen:listen": ("listen", "Forward new events to a URL as webhooks, for development."),
        "contract:app": ("contract", "Print the contracts: the topic as AsyncAPI, the HTTP API as OpenAPI."),
    },
    "Operation": {
        "rollout:app": ("rollout", "Set the share of orders that is published, and pause consumers."),
        "dead_letters:app": ("dead-letters", "Show, redrive and drop events that could not be handled."),
        "notifications:app": ("notifications", "Show, resend and drop notifications."),
        "webhooks:app": ("webhooks", "Send events to HTTP endpoints: add endpoints, see and resend what was sent."),
        "payments:app": ("payments", "Show payments that are not settled, and resolve refunds."),
        "replay:rebuild": ("rebuild", "Rebuild what a consumer has stored from the log."),
        "recovery:app": ("log", "Repair the log after a restore, or publish all of it again."),
        "maintenance:maintenance": (
            "maintenance",
            "Show every manual change: of the rollout, replays, rebuilds and epochs.",
        ),
    },
    "Simulation": {
        "demo:demo": ("demo", "Run a generated day on a temporary SQLite database with all three consumers."),
        "simulation:app": ("simulate", "Generate and run a day of food delivery."),
    },
}
"""By group of the help page: where each command is, its name and its summary."""

BY_USE_CASE = {
    *(("orders", name) for name in ("create", "transition", "assign", "cancel", "pay", "refund")),
    *(("prices", name) for name in ("set", "remove", "import")),
}
"""Commands whose use-case writes an audit line."""

UNAUDITED = {
    *BY_USE_CASE,
    *(("orders", name) for name in ("show", "list", "count", "timeline", "trace", "verify")),
    *(("prices", "list"), ("contacts", "list"), ("contacts", "show"), ("stock", "list"), ("tokens", "list")),
    *(("analytics", name) for name in ("minutes", "restaurants", "states", "cancellations", "deliveries")),
    *(
        (name,)
        for name in ("serve", "relay", "consume", "listen", "config", "completion", "status", "doctor", "lag", "check")
    ),
    *(("db", "current"), ("topics", "describe"), ("events", "tail"), ("events", "validate"), ("log", "epochs")),
    *(("contract", "asyncapi"), ("contract", "openapi"), ("rollout", "status"), ("rollout", "history")),
    *(("dead-letters", name) for name in ("list", "show", "history", "unrecognized")),
    *(("webhooks", name) for name in ("list", "show", "deliveries")),
    *(("notifications", "list"), ("notifications", "show"), ("payments", "list"), ("maintenance",), ("demo",)),
    *(("simulate", "run"), ("simulate", "generate")),
}
"""Commands without an audit line of their own: their use-cases write one, or they change nothing.

One that reads for an actor (``--as``) has a line if it is refused.
"""

_UNDECODED = re.compile("[\ud800-\udfff]")
"""Bytes of an argument that Python could not decode."""

logger = logging.getLogger("orderflow")


def _unrounded(kind: type, tokens: Sequence[Token]) -> object:
    """Convert an argument as cyclopts does, which would round a fraction: half an hour would be none."""
    if kind is int and "." in tokens[0].value:
        raise ValueError(f"{shown(tokens[0].value)} is no whole number")
    return convert(kind, tokens)


app = App(
    name="orderflow",
    help="Event-driven order flow for food delivery.",
    help_format="plaintext",  # importing a renderer of Markdown takes longer than all the rest
    version_flags=["--version"],
    default_parameter=Parameter(converter=_unrounded),
)
for name, commands in COMMANDS.items():
    group = Group.create_ordered(name)
    for path, (command, summary) in commands.items():
        app.command(f"{__package__}.{path}", name=command, help=summary, group=group)
GLOBAL = Group.create_ordered("Global options")
for flag in ("--help", "--version"):
    app[flag].group = GLOBAL


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: Annotated[
        bool, Parameter(negative=(), group=GLOBAL, show_default=False, help="print one JSON document")
    ] = False,
    settings: Annotated[
        Path | None, Parameter(group=GLOBAL, help="a TOML file of settings; the environment overrides it")
    ] = None,
    correlation_id: Annotated[
        str,
        Parameter(group=GLOBAL, show_default=False, help="joins everything that the command causes; default: a new id"),
    ] = "",
) -> int | None:
    """Event-driven order flow for food delivery."""
    from ...application.request_context import checked_correlation_id
    from .audit import run_audited, run_plain
    from .session import begin, without_integrations

    with without_integrations():
        from ..logging_setup import configure_logs
        from ..settings_source import load_settings

        loaded = load_settings(settings)
    configure_logs(loaded, process=tokens[:1] in PROCESSES)
    if correlation_id:
        checked_correlation_id(correlation_id)
    elif tokens[:1] not in PROCESSES:
        from uuid_utils import uuid7

        correlation_id = str(uuid7())
    begin(loaded, json=json, correlation_id=correlation_id)
    if tokens[:1] and tokens[0] in app and app[tokens[0]].default_command is not None:
        app[tokens[0]].help = None  # the command's own help page shows its whole docstring, not the summary
    command = command_of(tokens)
    try:
        if not command or command in BY_USE_CASE:
            return run_plain(app, tokens)
        return run_audited(app, tokens, " ".join(command), correlation_id, reads=command in UNAUDITED)
    except OrderFlowError as e:
        if tokens[:1] not in PROCESSES or isinstance(e, InvalidInput):
            raise
        logger.critical("%s", e, extra={"error": e})
        return exit_code(e)


def command_of(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path of the command; empty if the tokens name none."""
    within, path = app, list[str]()
    for token in tokens:
        if token.startswith("-") or token not in within:
            break
        within = within[token]
        path.append(token)
    return tuple(path) if path and within.default_command is not None else ()


def main() -> None:
    """Run the command that the program's arguments name, and exit with its code.

    Imports create objects by the million that stay, so collecting garbage meanwhile only costs time, a fifth of it.
    ``build_container`` ends this.
    """
    gc.disable()
    open_standard_streams()
    ignore_impossible_width()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:  # another Ctrl-C while the interpreter ends would print a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        _refuse_gone_directory()
        _refuse_other_encodings(arguments)
        code = app.meta(arguments, exit_on_error=False, print_error=False, result_action="return_value") or 0
        sys.stdout.flush()
        return code
    except CycloptsError as e:
        _print_error(str(e), hint="`orderflow --help` lists the commands and options")
        return 2
    except OrderFlowError as e:
        _print_error(str(e))
        return exit_code(e)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OutputFailed as e:
        discard(sys.stdout)
        if e.closed_by_reader:
            return 141
        _print_error(f"standard output cannot be written: {e}", hint="what the command has changed stays changed")
        return 1
    except Exception:
        logger.critical("orderflow failed", exc_info=True)
        return 1


def exit_code(error: OrderFlowError) -> int:
    """Return the exit code for ``error``."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def _refuse_gone_directory() -> None:
    """Raise InvalidInput without a working directory: files of settings, data and databases are relative to it."""
    try:
        os.getcwd()
    except OSError as e:
        raise InvalidInput("working directory", "it is gone, or cannot be read", "`cd` to one that is there") from e


def _refuse_other_encodings(arguments: list[str]) -> None:
    """Raise InvalidInput for an argument that is not text in the locale's encoding."""
    for argument in arguments:
        if not argument.isascii() and _UNDECODED.search(argument):
            raise InvalidInput("argument", f"{shown(argument)} is not valid text", "text in the locale's encoding")


def _print_error(error: str, hint: str = "") -> None:
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, emoji=False)
    console.print(f"orderflow: {printable(error)}", style="red", highlight=False, markup=False)
    if hint:
        console.print(hint, highlight=False, markup=False)
