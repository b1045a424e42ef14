"""``orderflow contract``: the contracts of the topic and of the HTTP API."""

from cyclopts import App

from .output import write_json
from .session import session

app = App(name="contract")


@app.command
def asyncapi() -> None:
    """Print the contract of the topic as AsyncAPI 3 in JSON: its events, headers and settings."""
    from ..contract import events, to_json

    write_json(to_json(events(session().settings)).rstrip("\n"))


@app.command
def openapi() -> None:
    """Print the HTTP API as OpenAPI 3.1 in JSON: every request, response and schema."""
    from ..contract import http, to_json

    write_json(to_json(http()).rstrip("\n"))
