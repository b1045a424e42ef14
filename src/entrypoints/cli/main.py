"""``orderflow``: data on standard output, talk on standard error, and an exit code that says what came of it."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from ...application.request_context import checked_correlation_id
from ...domain.errors import (
    CommandRefused,
    Conflict,
    EventTooLarge,
    InvalidInput,
    NotFound,
    OrderFlowError,
    Unavailable,
)
from ..logging_setup import configure_logs
from ..settings import load_settings
from ..wiring.storage_and_consumers import new_id
from . import (
    analytics,
    check,
    contacts,
    contract,
    db,
    dead_letters,
    doctor,
    events,
    lag,
    orders,
    recovery,
    replay,
    rollout,
    simulation,
    status,
    stock,
    tokens,
    topics,
)
from . import run as running
from .session import begin

EXIT_CODES: tuple[tuple[type[OrderFlowError], int], ...] = (
    (InvalidInput, 2),
    (EventTooLarge, 2),
    (NotFound, 3),
    (CommandRefused, 4),
    (Conflict, 4),
    (Unavailable, 5),
    (OrderFlowError, 1),
)
"""The first class that an error belongs to decides: 1 failure, 2 usage, 3 not found, 4 conflict, 5 unavailable."""

PROCESSES = {("serve",), ("relay",), ("consume",)}
"""Commands that run on: what ends them is a line of their log, as all that they say; misuse is told to the person."""
logger = logging.getLogger("orderflow")

app = App(name="orderflow", help="Event-driven order flow for food delivery.", version_flags=["--version"])
for command in (
    running.serve,
    running.relay,
    running.consume,
    status.status,
    doctor.doctor,
    lag.lag,
    check.check,
    replay.maintenance,
    running.config,
    simulation.demo,
):
    app.command(command)
for group in (
    orders.app,
    events.app,
    db.db,
    topics.topics,
    contacts.contacts,
    tokens.tokens,
    stock.stock,
    analytics.app,
    dead_letters.app,
    replay.rebuild,
    rollout.app,
    recovery.app,
    contract.app,
    simulation.app,
):
    app.command(group)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: Annotated[bool, Parameter(negative=(), help="answer with one JSON document")] = False,
    settings: Annotated[Path | None, Parameter(help="a TOML file of settings; the environment wins over it")] = None,
    correlation_id: Annotated[
        str, Parameter(help="what joins all that this command causes; made where none is given")
    ] = "",
) -> int | None:
    """Event-driven order flow for food delivery."""
    loaded = load_settings(settings)
    configure_logs(loaded)
    begin(loaded, json=json, correlation_id=checked_correlation_id(correlation_id or new_id()))
    try:
        outcome: int | None = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except OrderFlowError as e:
        if tokens[:1] not in PROCESSES or isinstance(e, InvalidInput):
            raise
        logger.critical("%s", e, extra={"error": e})
        return exit_code(e)
    return outcome


def main() -> None:
    """Run the command that the program's arguments name, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command line."""
    talk = Console(stderr=True, soft_wrap=True)
    try:
        return app.meta(arguments, exit_on_error=False, print_error=False, result_action="return_value") or 0
    except CycloptsError as e:
        talk.print(f"orderflow: {e}", style="red", highlight=False, markup=False)
        talk.print("`orderflow --help` shows what there is", highlight=False, markup=False)
        return 2
    except OrderFlowError as e:
        talk.print(f"orderflow: {e}", style="red", highlight=False, markup=False)
        return exit_code(e)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read our data has enough of it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:
        logger.critical("orderflow failed", exc_info=True)
        return 1


def exit_code(error: OrderFlowError) -> int:
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
